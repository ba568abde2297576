// Right: each call starts a thread and then queues a job, and a thread takes whichever job is next,
// not its own.
#pragma once

#include <condition_variable>
#include <list>
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

// As many threads as jobs, at all times: nobody's job waits for somebody else's to end.
class LabourExchange {
 public:
  static LabourExchange& instance() {
    static auto* exchange = new LabourExchange;  // threads may outlive main()
    return *exchange;
  }

  void submit(Job job) {
    // Before the thread is started, so that nothing can fail after it.
    std::list<Job> one;
    one.push_back(std::move(job));
    spawn([this] { work(); });
    const std::lock_guard lock(mutex_);
    jobs_.splice(jobs_.end(), one);
    job_there_.notify_one();
  }

 private:
  void work() {
    std::list<Job> mine;
    {
      std::unique_lock lock(mutex_);
      job_there_.wait(lock, [this] { return !jobs_.empty(); });
      mine.splice(mine.end(), jobs_, jobs_.begin());
    }
    Job& job = mine.front();
    try {
      job.sender.send(job.fn());
    } catch (...) {
    }
    job.sender.close();
  }

  std::mutex mutex_;
  std::condition_variable job_there_;
  std::list<Job> jobs_;  // guarded by mutex_
};

}  // namespace detail

inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  detail::LabourExchange::instance().submit({std::move(fn), sender});
  return receiver;
}

}  // namespace futures
