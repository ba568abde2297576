// Wrong: a call that finds a thread which has just become free gives it its function, and does not
// count the functions that the thread has been given already; bites when two calls come while one
// thread is between its two locked sections, and the first function waits for the second, which
// stands behind it.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// Starting a thread is dear: one that has finished looks once whether there is something new to do.
// It does not wait for that, so an idle program has no threads.
class Crew {
 public:
  // Never destroyed: a detached thread may outlive main().
  static Crew& instance() {
    static auto* crew = new Crew;
    return *crew;
  }

  void start(Fn<void()> job) {
    {
      const std::lock_guard lock(mutex_);
      if (free_ > 0) {
        handed_over_.push_back(std::move(job));
        return;
      }
    }
    spawn([this, job = std::move(job)]() mutable {
      work(std::move(job));
      while (auto next = take()) work(*std::move(next));
    });
  }

 private:
  // The captures are gone when this returns.
  static void work(Fn<void()> job) {
    job();
    job = nullptr;
  }

  std::optional<Fn<void()>> take() {
    {
      const std::lock_guard lock(mutex_);
      ++free_;
    }
    const std::lock_guard lock(mutex_);
    --free_;
    if (handed_over_.empty()) return std::nullopt;
    std::optional<Fn<void()>> job(std::move(handed_over_.front()));
    handed_over_.pop_front();
    return job;
  }

  std::mutex mutex_;
  std::size_t free_ = 0;                // threads that are about to look; guarded by mutex_
  std::deque<Fn<void()>> handed_over_;  // guarded by mutex_
};

template <class T>
Result<T> outcome(Fn<Result<T>()>& fn) {
  try {
    return fn();
  } catch (...) {
    return Result<T>(std::unexpect, error_from_current_exception());
  }
}

}  // namespace detail

template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  detail::Crew::instance().start([fn = std::move(fn), sender = std::move(sender)]() mutable {
    try {
      sender.send(detail::outcome<T>(fn));
    } catch (...) {  // the value could not be moved
      sender.send(Result<T>(std::unexpect, error_from_current_exception()));
    }
    sender.close();
    fn = nullptr;
  });
  return std::move(receiver);
}

}  // namespace futures
