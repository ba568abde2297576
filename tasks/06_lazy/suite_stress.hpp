// Task 6: many callers at once.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>

#include "lazy.hpp"
#include "suite_support.hpp"

namespace lazy_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them

// A crowd that awaits for the first time in the same moment.
template <class LazyT>
struct Crowd {
  std::shared_ptr<std::atomic<int>> runs = std::make_shared<std::atomic<int>>(0);
  LazyT lazy{[runs = runs](const Context&) -> Result<Report> {
    ++*runs;
    std::this_thread::yield();
    return Report(long_text);
  }};
};

template <class LazyT>
void a_crowd_runs_fn_once(std::size_t threads, std::size_t rounds) {
  workbook::stress_on(
      threads, rounds, [] { return std::make_unique<Crowd<LazyT>>(); },
      [](std::unique_ptr<Crowd<LazyT>>& crowd, std::size_t) {
        const auto result = crowd->lazy.await(Context::background());
        EXPECT_TRUE(is_the_report(result)) << "an awaiter got " << describe(result);
      },
      [](std::unique_ptr<Crowd<LazyT>>& crowd) {
        EXPECT_EQ(*crowd->runs, 1) << "the first awaiters came in the same moment, and fn ran "
                                   << *crowd->runs << " times: is there a gap between looking "
                                   << "whether it has started and saying that it has?";
      });
}

TEST(Stress, AThousandFirstAwaitersOfALazyRunFnOnce) {
  a_crowd_runs_fn_once<Lazy<Report>>(workbook::crowd(1000), 1);
  a_crowd_runs_fn_once<Lazy<Report>>(4, workbook::rounds(100));
}
TEST(Stress, AThousandFirstAwaitersOfARetryLazyRunFnOnce) {
  a_crowd_runs_fn_once<RetryLazy<Report>>(workbook::crowd(1000), 1);
  a_crowd_runs_fn_once<RetryLazy<Report>>(4, workbook::rounds(100));
}

// fn fails twice, then succeeds; it tells how many runs of it were under way at once.
struct Flaky {
  struct Counters {
    std::atomic<int> runs = 0;
    std::atomic<int> running = 0;
    std::atomic<int> overlaps = 0;
  };
  std::shared_ptr<Counters> counters = std::make_shared<Counters>();
  RetryLazy<int> lazy{[counters = counters](const Context&) -> Result<int> {
    if (++counters->running > 1) ++counters->overlaps;
    const int run = ++counters->runs;
    std::this_thread::yield();
    --counters->running;
    if (run < 3) return std::unexpected(Error{Errc::unavailable, std::to_string(run)});
    return run;
  }};
};

// Awaits until there is a value. Each failure must be that of a later attempt than the one before:
// an await that begins after attempt 1 was seen to fail has no business with attempt 1.
inline void await_through_failures(RetryLazy<int>& lazy) {
  int seen = 0;
  while (true) {
    const auto result = lazy.await(Context::background());
    if (result) {
      EXPECT_EQ(*result, 3) << "only the third attempt succeeds, and it returns 3";
      return;
    }
    ASSERT_EQ(result.error().code, Errc::unavailable) << describe(result);
    const int attempt = std::stoi(result.error().message);
    ASSERT_GT(attempt, seen) << "this awaiter had already seen attempt " << seen << " fail; its "
                             << "next await must not get the error of attempt " << attempt;
    seen = attempt;
  }
}

TEST(Stress, ARetryLazyRunsNoAttemptTooManyAndNoTwoAtOnce) {
  workbook::stress_on(
      4, workbook::rounds(100), [] { return std::make_unique<Flaky>(); },
      [](std::unique_ptr<Flaky>& flaky, std::size_t) { await_through_failures(flaky->lazy); },
      [](std::unique_ptr<Flaky>& flaky) {
        EXPECT_EQ(flaky->counters->runs, 3) << "two failures and one success are three attempts";
        EXPECT_EQ(flaky->counters->overlaps, 0)
            << "an attempt was started while another one was still running";
      });
}

// Some awaiters have a context that ends while fn is at work, others have all the time in the
// world.
TEST(Stress, AwaitersThatLeaveDoNotDisturbThoseThatStay) {
  struct State {
    Busy<Lazy<Report>> busy;
    CancelSource source = with_cancel(Context::background());
  };
  workbook::stress_on(
      5, workbook::rounds(100), [] { return std::make_unique<State>(); },
      [](std::unique_ptr<State>& state, std::size_t thread) {
        if (thread == 0) {
          state->source.cancel();
          state->busy.may_end->open();
          return;
        }
        const bool patient = thread > 2;
        const auto result =
            state->busy.lazy->await(patient ? Context::background() : state->source.context());
        if (patient) {
          EXPECT_TRUE(is_the_report(result)) << "a patient awaiter got " << describe(result);
        } else {
          EXPECT_TRUE(is_the_report(result) || code_of(result) == Errc::cancelled)
              << "an awaiter whose context was cancelled got " << describe(result);
        }
      },
      [](std::unique_ptr<State>& state) {
        EXPECT_EQ(*state->busy.runs, 1) << "fn ran " << *state->busy.runs << " times";
      });
}

}  // namespace lazy_suite
