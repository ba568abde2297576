// expect: failed|hung|crashed|not built : 
// A pool with a cap, and a better overload of a function of the suite: it stood in the same nameless namespace.
// Wrong: an idle worker is only taken off the count when it wakes, so two jobs can be queued for
// it; bites when async is called twice in a row within a few milliseconds of another producer's end
// and the first function waits for the second.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
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

  void run() {
    auto job = std::exchange(fn, nullptr);
    try {
      sender.send(job());
    } catch (...) {
    }
    sender.close();
  }
};

// Starting a thread is slow, so one that has done its job waits a moment for another. There is
// always a thread for each job: when nobody is idle, a new one is started.
class ThreadCache {
 public:
  static ThreadCache& instance() {
    static auto* cache = new ThreadCache;
    return *cache;
  }

  void start(Job job) {
    const std::lock_guard lock(mutex_);
    if (idle_ > 0) {
      jobs_.push_back(std::move(job));
      work_to_do_.notify_one();
      return;
    }
    spawn([this, job = std::move(job)]() mutable {
      job.run();
      serve();
    });
  }

 private:
  static constexpr std::chrono::milliseconds patience{20};

  void serve() {
    std::unique_lock lock(mutex_);
    while (true) {
      ++idle_;
      const bool called = work_to_do_.wait_for(lock, patience, [this] { return !jobs_.empty(); });
      --idle_;
      if (!called) return;
      Job job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job.run();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable work_to_do_;
  std::deque<Job> jobs_;  // guarded by mutex_, as is idle_
  std::size_t idle_ = 0;
};

}  // namespace detail

inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  detail::ThreadCache::instance().start({std::move(fn), sender});
  return receiver;
}

}  // namespace futures

namespace {
inline int follow(int links) { return links; }
}  // namespace
