// The threads behind stress(). Tests use that.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "flavour.hpp"
#include "processors.hpp"
#include "report.hpp"

namespace workbook::detail {

// Where runners wait until the last of them has come, then all go. The last ones to come spin, so
// that they start within a fraction of a microsecond: races have narrow windows. In a crowd those
// before them block, or their waiting would keep the late ones from the processors.
//
// Nobody is ordered behind a runner that has left the line already: ThreadSanitizer would take that
// for synchronisation and miss what the runners race for.
class StartLine {
 public:
  explicit StartLine(std::size_t runners) : missing_(runners), crowd_(runners > spinners) {}

  void wait() {
    const auto missing = missing_.fetch_sub(1, std::memory_order_acq_rel) - 1;
    if (missing == 0) {
      if (crowd_) open();
    } else if (missing < spinners) {
      spin();
    } else {
      block();
    }
  }

 private:
  // On two processors 64 threads that spin, and yield in between, still start faster than 64 that
  // block; 200 take fifty times as long.
  static constexpr std::size_t spinners = 64;

  // No mutex for whoever blocks: a thousand woken threads would queue up for it.
  void open() {
    open_.store(1);
    open_.notify_all();
  }

  void spin() const {
    for (int turn = 1; missing_.load(std::memory_order_acquire) != 0; ++turn) {
      if (turn % 256 == 0) std::this_thread::yield();
    }
  }

  void block() const {
    while (open_.load() == 0) open_.wait(0);
  }

  std::atomic<std::size_t> missing_;
  const bool crowd_;
  std::atomic<int> open_{0};
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
    over_.store(true);
    call();
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
    line_ = std::make_unique<StartLine>(size());
    job_ = &job;
    round_ = round;
    running_.store(size(), std::memory_order_relaxed);
    finished_.store(size() == 0 ? 1 : 0);
    call();
    while (finished_.load() == 0) finished_.wait(0);
  }

 private:
  void call() {
    calls_.fetch_add(1);
    calls_.notify_all();
  }

  void work(std::size_t me) {
    for (int done = 0;; ++done) {
      processors_.pin(me);
      while (calls_.load() == done) calls_.wait(done);
      if (over_.load()) return;
      processors_.let_loose();
      line_->wait();
      stagger(round_, me);
      (*job_)(me);
      if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        finished_.store(1);
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

  const Processors processors_;
  std::atomic<int> calls_{0};
  std::atomic<bool> over_{false};
  std::atomic<int> finished_{0};

  // Written by run() while no thread works, read by the threads after a call.
  std::unique_ptr<StartLine> line_;
  const std::function<void(std::size_t)>* job_ = nullptr;
  std::size_t round_ = 0;

  std::atomic<std::size_t> running_{0};
  std::size_t wanted_ = 0;
  std::string refusal_;
  std::vector<std::thread> threads_;
};

}  // namespace workbook::detail
