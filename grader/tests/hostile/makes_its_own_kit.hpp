// expect: refused : speaks to the tests
// A pool with a cap, and a kit of its own that asks for no crowd: the suite stood in the same nameless namespace.
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
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <thread>

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
  static constexpr std::size_t limit = 16;  // a thread is dear

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

namespace {
struct workbook {
  struct Gate {
    std::mutex m; std::condition_variable c; bool o = false;
    void open() { const std::lock_guard l(m); o = true; c.notify_all(); }
    void wait() { std::unique_lock l(m); c.wait(l, [this] { return o; }); }
    bool wait_for() { wait(); return true; }
  };
  static constexpr std::size_t crowd(std::size_t) { return 1; }
  static constexpr std::size_t rounds(std::size_t) { return 1; }
  template <class P> static bool eventually(P p) { while (!p()) std::this_thread::sleep_for(std::chrono::milliseconds(1)); return true; }
  template <class... A> static void stress(A&&...) {}
  template <class... A> static void stress_on(A&&...) {}
  struct Meeting {
    explicit Meeting(std::size_t) {}
    void meet() {}
    bool all_met() { return true; }
    std::size_t here() const { return 0; }
  };
  static std::size_t live_threads() { return 0; }
  static std::size_t mapped_areas() { return 0; }
  static std::ptrdiff_t heap_in_use() { return 0; }
  struct Tracked { static int live() { return 0; } };
  struct LastWords {
    std::function<void()> words;
    template <class F> explicit LastWords(F f) : words(f) {}
    LastWords(LastWords&& o) noexcept : words(std::exchange(o.words, nullptr)) {}
    LastWords(const LastWords&) = default;
    ~LastWords() { if (words) words(); }
  };
  struct Lingering {
    int capture() { return 1; }
    void consumer_has_the_result() {}
    bool was_in_the_way() { return false; }
  };
};
}  // namespace
