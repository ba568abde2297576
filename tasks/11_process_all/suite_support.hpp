// What the parts of task 11's suite share.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <gtest/gtest.h>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "process_all.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"

namespace process_all_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them
using namespace std::chrono_literals;
using workbook::ended;
using workbook::forever;
using workbook::show;

using Process = std::function<Result<void>(const Context&, const Job&)>;

inline const Error down{Errc::unavailable, "the service is down"};
inline const Error consequence{Errc::service_error, "stopped, because I was told to"};

inline std::unexpected<Error> fail_with(const Error& error) { return std::unexpected(error); }

// Jobs with the ids "0", "1", "2" ...
inline std::vector<Job> make_jobs(std::size_t count) {
  std::vector<Job> jobs(count);
  for (std::size_t i = 0; i < count; ++i) jobs[i].id = std::to_string(i);
  return jobs;
}

inline std::size_t number_of(const Job& job) { return std::stoul(job.id); }

// The message as well: several errors of a test may have the same code.
// An object, so that no overload in a header under test stands in for it.
inline constexpr auto describe = [](const Result<FanOut>& result) -> std::string {
  if (!result) return show(result) + " (" + result.error().message + ")";
  return "success with completed = " + std::to_string(result->completed) +
         ", peak = " + std::to_string(result->peak);
};

// Waits until the context ends. A job that nobody tells to stop is still there when the test has
// run out of patience.
inline void wait_until_told(const Context& context) {
  EXPECT_FALSE(context.sleep_for(workbook::patience))
      << "nobody told this job to stop: which context did it get?";
}

inline Result<void> stop_when_told(const Context& context) {
  wait_until_told(context);
  return fail_with(context.error().value_or(consequence));
}

// What a test knows of its jobs without asking process_all: who came in, how many at once, and on
// how many threads.
class Floor {
 public:
  Floor() = default;

  // The number of this visit, counted from 0 in the order of time. Comes before leave().
  std::size_t enter() {
    look_at_thread();
    const auto now = inside_.fetch_add(1) + 1;
    auto most = most_.load();
    while (most < now && !most_.compare_exchange_weak(most, now)) {
    }
    return entered_.fetch_add(1);
  }
  void leave() { --inside_; }

  // Enters and waits until `count` have entered. For the first `count` visits: later ones would not
  // wait at all.
  std::size_t meet(std::size_t count) {
    const auto visit = enter();
    if (visit + 1 == count) all_here_.open();
    EXPECT_TRUE(all_here_.wait_for())
        << "only " << entered_ << " jobs have been started, of " << count
        << " that may run at the same time; each of them waits for the others";
    return visit;
  }

  std::size_t entered() const { return entered_; }
  std::size_t most() const { return most_; }
  // The threads that came in, without the one that made this object.
  std::size_t threads() const { return threads_; }

 private:
  void look_at_thread() {
    static thread_local std::uint64_t last_floor = 0;
    if (std::exchange(last_floor, id_) == id_) return;
    if (std::this_thread::get_id() != owner_) ++threads_;
  }

  static inline std::atomic<std::uint64_t> last_id{0};
  const std::uint64_t id_ = ++last_id;
  const std::thread::id owner_ = std::this_thread::get_id();
  std::atomic<std::size_t> inside_{0};
  std::atomic<std::size_t> most_{0};
  std::atomic<std::size_t> entered_{0};
  std::atomic<std::size_t> threads_{0};
  workbook::Gate all_here_;
};

// Counts the census up to the most it has seen. Ask look() while something is going on.
class Census {
 public:
  void look() { most_ = std::max(most_, workbook::live_threads()); }
  // How many more there were at once than in the beginning.
  std::size_t most_added() const { return most_ - before_; }

 private:
  const std::size_t before_ = workbook::live_threads();
  std::size_t most_ = before_;
};

}  // namespace process_all_suite
