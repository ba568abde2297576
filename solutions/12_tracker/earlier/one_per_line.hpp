// Wrong: futures are told apart by the line that made them; bites when one line makes two: they
// share an entry, and the first to settle takes it away.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <source_location>
#include <string>
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
    const std::lock_guard lock(state_->mutex);
    const auto now = Clock::now();
    for (const auto& [place, entry] : state_->unsettled) {
      if (now - entry.born >= older_than)
        leaks.push_back({entry.id, entry.where, now - entry.born});
    }
    std::sort(leaks.begin(), leaks.end(),
              [](const LeakInfo& a, const LeakInfo& b) { return a.age > b.age; });
    return leaks;
  }

 private:
  using Place = std::pair<std::string, std::uint_least32_t>;
  struct Entry {
    std::uint64_t id;
    std::source_location where;
    Clock::time_point born;
  };
  struct State {
    std::mutex mutex;
    std::uint64_t last_id = 0;
    std::map<Place, Entry> unsettled;
  };

  template <class T>
  void track(const Future<T>& future, std::source_location where) {
    const Place place(where.file_name(), where.line());
    {
      const std::lock_guard lock(state_->mutex);
      state_->unsettled.emplace(place, Entry{++state_->last_id, where, Clock::now()});
    }
    future.on_settled([state = state_, place](const Result<T>&) {
      const std::lock_guard lock(state->mutex);
      state->unsettled.erase(place);
    });
  }

  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace futures
