// The table of running functions forgets a function only when it returned: shows when fn throws.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace first_future {

// The functions that are running. std::map: an entry stays where it is while others come and go.
class Running {
 public:
  using Entry = std::map<std::uint64_t, Fn<int()>>::iterator;

  static Running& instance() {
    static auto* running = new Running;
    return *running;
  }

  Entry add(Fn<int()> fn) {
    const std::lock_guard lock(mutex_);
    return entries_.emplace(++last_, std::move(fn)).first;
  }

  void remove(Entry entry) {
    decltype(entries_)::node_type doomed;  // destroyed when the lock is released
    const std::lock_guard lock(mutex_);
    doomed = entries_.extract(entry);
  }

 private:
  std::mutex mutex_;
  std::map<std::uint64_t, Fn<int()>> entries_;
  std::uint64_t last_ = 0;
};

}  // namespace first_future

inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  const auto entry = first_future::Running::instance().add(std::move(fn));
  try {
    spawn([entry, sender = sender] {
      try {
        const int value = entry->second();
        sender.send(value);
        sender.close();
        first_future::Running::instance().remove(entry);
      } catch (...) {
        sender.close();
      }
    });
  } catch (...) {
    first_future::Running::instance().remove(entry);
    throw;
  }
  return receiver;
}

}  // namespace futures
