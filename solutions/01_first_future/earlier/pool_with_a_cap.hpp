// Wrong: at most 256 workers, the rest queue; bites when more than 256 functions wait for futures
// that are queued behind them.
#pragma once

#include <cstddef>
#include <deque>
#include <exception>
#include <mutex>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

struct Job {
  Fn<int()> fn;
  Sender<int> sender;
};

// Workers are started as jobs come in and end when the queue is empty.
class Workers {
 public:
  static Workers& instance() {
    static auto* workers = new Workers;
    return *workers;
  }

  void submit(Job job) {
    const std::lock_guard lock(mutex_);
    if (working_ < limit) {
      spawn([this, first = std::move(job)]() mutable { work(std::move(first)); });
      ++working_;
    } else {
      queue_.push_back(std::move(job));
    }
  }

 private:
  static constexpr std::size_t limit = 256;  // a thread is dear

  static void run(Job job) {
    try {
      job.sender.send(job.fn());
    } catch (...) {
    }
    job.sender.close();
  }

  void work(Job job) {
    while (true) {
      run(std::move(job));
      const std::lock_guard lock(mutex_);
      if (queue_.empty()) {
        --working_;
        return;
      }
      job = std::move(queue_.front());
      queue_.pop_front();
    }
  }

  std::mutex mutex_;
  std::deque<Job> queue_;  // guarded by mutex_, as is working_
  std::size_t working_ = 0;
};

}  // namespace detail

// A thread is only started while there are few of them; a busy program reuses the ones it has.
inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  detail::Workers::instance().submit({std::move(fn), sender});
  return receiver;
}

}  // namespace futures
