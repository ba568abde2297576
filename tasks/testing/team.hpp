// The threads behind stress(). Tests use that.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "flavour.hpp"
#include "report.hpp"

namespace workbook::detail {

// Where runners wait until the last of them has come, then all go. A small field spins, so that all
// start within a fraction of a microsecond: races have narrow windows. A large one blocks, or the
// waiting would keep the late ones from the processors.
//
// Nobody is ordered behind a runner that has left the line already: ThreadSanitizer would take that
// for synchronisation and miss what the runners race for.
class StartLine {
 public:
  explicit StartLine(std::size_t runners) : missing_(runners), small_(runners <= small_field()) {}

  void wait() {
    if (missing_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      if (!small_) open();
      return;
    }
    if (small_) {
      spin();
    } else {
      std::unique_lock lock(mutex_);
      opened_.wait(lock, [this] { return open_; });
    }
  }

 private:
  static std::size_t small_field() {
    static const std::size_t size = 2 * std::size_t{std::thread::hardware_concurrency()};
    return size < 8 ? 8 : size;
  }

  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }

  void spin() const {
    for (int turn = 1; missing_.load(std::memory_order_acquire) != 0; ++turn) {
      if (turn % 256 == 0) std::this_thread::yield();
    }
  }

  std::atomic<std::size_t> missing_;
  bool small_;
  std::mutex mutex_;
  std::condition_variable opened_;
  bool open_ = false;  // guarded by mutex_
};

// Waits a little, differently for each round and thread, from nothing to a few microseconds: two
// threads that always start exactly together always meet at the same instructions.
inline void stagger(std::size_t round, std::size_t thread) {
  auto hash = report::seed.load(std::memory_order_relaxed) + round * 0x9e3779b97f4a7c15u +
              (thread + 1) * 0xbf58476d1ce4e5b9u;
  hash = (hash ^ (hash >> 29)) * 0x94d049bb133111ebu;
  hash ^= hash >> 32;
  const std::uint64_t longest = (std::uint64_t{1} << (2 * (round % 6))) - 1;  // 0, 3, 15 ... 1023
  for (volatile std::uint64_t left = hash & longest; left > 0;) left = left - 1;
}

// Threads that stay for all rounds: starting eight takes longer than most rounds do. Destroying the
// team joins them.
class Team {
 public:
  explicit Team(std::size_t threads) {
    if constexpr (flavour() == Flavour::explored) {
      wanted_ = threads;
      return;
    }
    threads_.reserve(threads);
    try {
      while (threads_.size() < threads) {
        threads_.emplace_back([this, me = threads_.size()] { work(me); });
      }
    } catch (const std::system_error& e) {
      refusal_ = e.what();
    }
    wanted_ = threads_.size();
  }
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
      called_.notify_all();
    }
    for (auto& thread : threads_) thread.join();
  }

  // How many threads there are, fewer than asked for when the system had no more to give.
  std::size_t size() const { return wanted_; }
  const std::string& refusal() const { return refusal_; }

  // Calls job(thread) once on every thread of the team, all at once; returns when all have.
  void run(std::size_t round, const std::function<void(std::size_t)>& job) {
    if constexpr (flavour() == Flavour::explored) {
      run_explored(job);
      return;
    }
    std::unique_lock lock(mutex_);
    line_ = std::make_unique<StartLine>(size());
    job_ = &job;
    round_ = round;
    running_.store(size(), std::memory_order_relaxed);
    ++calls_;
    called_.notify_all();
    finished_.wait(lock, [this] { return running_.load(std::memory_order_acquire) == 0; });
  }

 private:
  void work(std::size_t me) {
    for (std::size_t done = 0;; ++done) {
      {
        std::unique_lock lock(mutex_);
        called_.wait(lock, [&] { return over_ || calls_ != done; });
        if (over_) return;
      }
      line_->wait();
      stagger(round_, me);
      (*job_)(me);
      // No lock before the last one: it would order this round's slow starters behind the fast.
      if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        const std::lock_guard lock(mutex_);
        finished_.notify_one();
      }
    }
  }

  // The explorer chooses who goes first: it needs no start line, only the threads.
  void run_explored(const std::function<void(std::size_t)>& job) const {
    std::vector<std::thread> threads;
    for (std::size_t me = 0; me < size(); ++me) {
      threads.emplace_back([&job, me] { job(me); });
    }
    for (auto& thread : threads) thread.join();
  }

  std::mutex mutex_;
  std::condition_variable called_;
  std::condition_variable finished_;
  bool over_ = false;      // guarded by mutex_
  std::size_t calls_ = 0;  // guarded by mutex_

  // Written by run() under mutex_ while no thread works, read by the threads after a call.
  std::unique_ptr<StartLine> line_;
  const std::function<void(std::size_t)>* job_ = nullptr;
  std::size_t round_ = 0;

  std::atomic<std::size_t> running_{0};
  std::size_t wanted_ = 0;
  std::string refusal_;
  std::vector<std::thread> threads_;
};

}  // namespace workbook::detail
