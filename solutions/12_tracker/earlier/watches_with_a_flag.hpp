// Wrong: the tracker's end is a flag that the callback looks at before it uses the tracker; bites
// when the tracker goes between the look and the use.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <source_location>
#include <utility>
#include <vector>

#include "future.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

struct LeakInfo {
  std::uint64_t id;
  std::source_location where;
  std::chrono::nanoseconds age;
};

class Tracker {
 public:
  Tracker() = default;
  ~Tracker() { *alive_ = false; }

  template <class T>
  std::pair<Future<T>, Resolver<T>> make(
      std::source_location where = std::source_location::current()) {
    auto ends = make_future<T>();
    track(ends.first, where);
    return ends;
  }

  template <class T>
  Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn,
               std::source_location where = std::source_location::current()) {
    auto future = futures::go<T>(context, std::move(fn));
    track(future, where);
    return future;
  }

  std::vector<LeakInfo> report(std::chrono::nanoseconds older_than = {}) const {
    std::vector<LeakInfo> leaks;
    const std::lock_guard lock(state_.mutex);
    const auto now = Clock::now();
    for (const auto& [id, entry] : state_.unsettled) {
      if (now - entry.born >= older_than) leaks.push_back({id, entry.where, now - entry.born});
    }
    return leaks;
  }

 private:
  struct Entry {
    std::source_location where;
    Clock::time_point born;
  };
  struct State {
    std::mutex mutex;
    std::uint64_t last_id = 0;
    std::map<std::uint64_t, Entry> unsettled;
  };

  template <class T>
  void track(const Future<T>& future, std::source_location where) {
    std::uint64_t id = 0;
    {
      const std::lock_guard lock(state_.mutex);
      id = ++state_.last_id;
      state_.unsettled.emplace(id, Entry{where, Clock::now()});
    }
    future.on_settled([this, alive = alive_, id](const Result<T>&) {
      if (!*alive) return;
      const std::lock_guard lock(state_.mutex);
      state_.unsettled.erase(id);
    });
  }

  mutable State state_;
  std::shared_ptr<std::atomic<bool>> alive_ = std::make_shared<std::atomic<bool>>(true);
};

}  // namespace futures
