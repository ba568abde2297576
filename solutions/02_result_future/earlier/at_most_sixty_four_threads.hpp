// Wrong: no more than 64 threads at once, the rest waits in a queue, so fn has no thread of its
// own; bites when more than 64 functions wait for one that stands in line behind them: a deadlock.
#pragma once

#include <cstddef>
#include <deque>
#include <expected>
#include <mutex>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// Workers that come and go: one starts when there is a job and fewer than `most` of them, and ends
// when it finds the line empty. Nobody is left when nothing is to be done.
class Workers {
 public:
  static Workers& instance() {
    static auto* workers = new Workers;  // never destroyed: a worker may outlive main()
    return *workers;
  }

  void submit(Fn<void()> job) {
    const std::lock_guard lock(mutex_);
    line_.push_back(std::move(job));
    if (alive_ == most) return;
    try {
      spawn([this] { work(); });
    } catch (...) {
      line_.pop_back();
      throw;
    }
    ++alive_;
  }

 private:
  static constexpr std::size_t most = 64;

  void work() {
    std::unique_lock lock(mutex_);
    while (!line_.empty()) {
      {
        Fn<void()> job = std::move(line_.front());
        line_.pop_front();
        lock.unlock();
        job();
      }
      lock.lock();
    }
    --alive_;
  }

  std::mutex mutex_;
  std::deque<Fn<void()>> line_;  // guarded by mutex_, as the next
  std::size_t alive_ = 0;
};

}  // namespace detail

template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  detail::Workers::instance().submit([fn = std::move(fn), sender]() mutable {
    try {
      sender.send(fn());
    } catch (...) {
      sender.send(std::unexpected(error_from_current_exception()));
    }
    sender.close();
  });
  return receiver;
}

}  // namespace futures
