// Spreading a team of threads over the processors. For team.hpp.
#pragma once

#include <cstddef>
#include <sched.h>

namespace workbook::detail {

// On a busy machine the kernel likes to wake all threads of a team on one processor, where they run
// one after the other and never race: a lost update that shows in one round of ten was not seen in
// thousands. So a thread waits for its turn pinned to a processor of its own, and is let loose when
// the turn comes: it starts there, and what it spawns may run anywhere.
class Processors {
 public:
  Processors() {
    CPU_ZERO(&all_);
    if (::sched_getaffinity(0, sizeof all_, &all_) == 0) {
      count_ = static_cast<std::size_t>(CPU_COUNT(&all_));
    }
  }

  // Errors don't matter: the thread then starts where the kernel likes.
  void pin(std::size_t thread) const {
    if (count_ < 2) return;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(nth(thread % count_), &one);
    ::sched_setaffinity(0, sizeof one, &one);
  }
  void let_loose() const {
    if (count_ >= 2) ::sched_setaffinity(0, sizeof all_, &all_);
  }

 private:
  std::size_t nth(std::size_t index) const {
    std::size_t processor = 0;
    for (; processor < CPU_SETSIZE; ++processor) {
      if (CPU_ISSET(processor, &all_) && index-- == 0) break;
    }
    return processor;
  }

  cpu_set_t all_;  // those the calling thread may use
  std::size_t count_ = 1;
};

}  // namespace workbook::detail
