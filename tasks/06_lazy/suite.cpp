// Task 6: one caller at a time here, many callers in suite_stress.hpp, callers that leave and
// lazies that go away in suite_lifecycle.hpp, races for the explorer in suite_explored.hpp.
#include <atomic>
#include <concepts>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "lazy.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "suite_support.hpp"
#include "testing/kit.hpp"

#ifndef WORKBOOK_RUNS_EXPLORED_ONLY
namespace lazy_suite {

using namespace futures;

// The types of the contract: a value of any other could compare equal to whatever is expected.
static_assert(
    requires(Lazy<int>& lazy, const Context& context) {
      { lazy.await(context) } -> std::same_as<Result<int>>;
    }, "Lazy<T>::await() returns a Result<T>");
static_assert(
    requires(RetryLazy<int>& retry, const Context& context) {
      { retry.await(context) } -> std::same_as<Result<int>>;
    }, "RetryLazy<T>::await() returns a Result<T>");

// Each check is written once and made for both classes.

template <class LazyT>
void fn_waits_for_the_first_await() {
  auto runs = std::make_shared<std::atomic<int>>(0);
  LazyT lazy([runs](const Context&) -> Result<Report> {
    ++*runs;
    return Report(long_text);
  });
  EXPECT_EQ(*runs, 0) << "fn ran although nobody has asked for its result yet";
  for (int i = 1; i <= 3; ++i) {
    const auto result = lazy.await(Context::background());
    EXPECT_TRUE(is_the_report(result)) << "await number " << i << " returned " << describe(result);
  }
  EXPECT_EQ(*runs, 1) << "one success is enough for every await";
}

template <class LazyT>
void an_exception_becomes_an_error() {
  LazyT standard(
      [](const Context&) -> Result<Report> { throw std::runtime_error("no such table"); });
  const auto first = standard.await(Context::background());
  ASSERT_FALSE(first.has_value()) << "fn threw, but await returned a value";
  EXPECT_EQ(first.error().code, Errc::exception) << describe(first);
  EXPECT_NE(first.error().message.find("no such table"), std::string::npos)
      << "the text of the exception is lost: " << describe(first);

  LazyT odd([](const Context&) -> Result<Report> { throw 42; });
  const auto second = odd.await(Context::background());
  ASSERT_FALSE(second.has_value()) << "fn threw 42, but await returned a value";
  EXPECT_EQ(second.error().code, Errc::exception) << describe(second);
}

template <class LazyT>
void a_value_beats_an_ended_context() {
  LazyT lazy([](const Context&) -> Result<Report> { return Report(long_text); });
  ASSERT_TRUE(lazy.await(Context::background()).has_value());
  CancelSource source = with_cancel(Context::background());
  source.cancel();
  for (int i = 0; i < 20; ++i) {  // a coin toss would show
    const auto result = lazy.await(source.context());
    ASSERT_TRUE(is_the_report(result))
        << "the value was there, the awaiter's context had ended, and await returned "
        << describe(result) << "; look for the value first, then at the context";
  }
}

TEST(Basic, LazyRunsFnOnTheFirstAwaitAndNeverAgain) {
  fn_waits_for_the_first_await<Lazy<Report>>();
}
TEST(Basic, RetryLazyRunsFnOnTheFirstAwaitAndNeverAgainAfterASuccess) {
  fn_waits_for_the_first_await<RetryLazy<Report>>();
}
TEST(Basic, LazyTurnsAnExceptionIntoAnError) { an_exception_becomes_an_error<Lazy<Report>>(); }
TEST(Basic, RetryLazyTurnsAnExceptionIntoAnError) {
  an_exception_becomes_an_error<RetryLazy<Report>>();
}
TEST(Basic, LazyPrefersAValueThatIsThereToAnEndedContext) {
  a_value_beats_an_ended_context<Lazy<Report>>();
}
TEST(Basic, RetryLazyPrefersAValueThatIsThereToAnEndedContext) {
  a_value_beats_an_ended_context<RetryLazy<Report>>();
}

TEST(Basic, LazyKeepsAFailure) {
  auto runs = std::make_shared<std::atomic<int>>(0);
  Lazy<Report> lazy([runs](const Context&) -> Result<Report> {
    return std::unexpected(Error{Errc::unavailable, "failure " + std::to_string(++*runs)});
  });
  for (int i = 1; i <= 3; ++i) {
    const auto result = lazy.await(Context::background());
    ASSERT_FALSE(result.has_value()) << "fn failed, but await number " << i << " returned a value";
    EXPECT_EQ(result.error(), (Error{Errc::unavailable, "failure 1"}))
        << "await number " << i << " returned " << describe(result);
  }
  EXPECT_EQ(*runs, 1) << "a Lazy that failed stays failed; trying again is RetryLazy's business";
}

TEST(Basic, LazyPrefersAFailureThatIsThereToAnEndedContext) {
  const Error failure{Errc::unavailable, "the outcome"};
  Lazy<Report> lazy([&](const Context&) -> Result<Report> { return std::unexpected(failure); });
  ASSERT_FALSE(lazy.await(Context::background()).has_value());
  CancelSource source = with_cancel(Context::background());
  source.cancel();
  for (int i = 0; i < 20; ++i) {  // a coin toss would show
    const auto result = lazy.await(source.context());
    ASSERT_FALSE(result.has_value()) << describe(result);
    ASSERT_EQ(result.error(), failure)
        << "fn had failed, the awaiter's context had ended, and await returned " << describe(result)
        << "; a failure that is kept is a result like any other";
  }
}

TEST(Basic, LazyKeepsAFailureWhateverItSays) {
  for (const Error& error : workbook::errors_of_all_kinds()) {
    int runs = 0;
    Lazy<Report> lazy([&](const Context&) -> Result<Report> {
      ++runs;
      return std::unexpected(error);
    });
    for (int i = 0; i < 2; ++i) {
      const auto result = lazy.await(Context::background());
      ASSERT_FALSE(result.has_value()) << describe(result);
      EXPECT_EQ(result.error(), error) << describe(result);
    }
    EXPECT_EQ(runs, 1) << "fn has failed of its own accord: that is the outcome, whatever its code";
  }
}

TEST(Basic, LazyKeepsAnException) {
  auto runs = std::make_shared<std::atomic<int>>(0);
  Lazy<int> lazy([runs](const Context&) -> Result<int> {
    throw std::runtime_error("exception " + std::to_string(++*runs));
  });
  for (int i = 1; i <= 3; ++i) {
    const auto result = lazy.await(Context::background());
    ASSERT_FALSE(result.has_value()) << "await number " << i;
    EXPECT_EQ(result.error().code, Errc::exception) << describe(result);
  }
  EXPECT_EQ(*runs, 1) << "an exception is an outcome like any other failure";
}

void retries_after(Errc failure) {
  auto runs = std::make_shared<std::atomic<int>>(0);
  RetryLazy<Report> lazy([runs, failure](const Context&) -> Result<Report> {
    if (++*runs < 3) {
      return std::unexpected(Error{failure, "attempt " + std::to_string(*runs)});
    }
    return Report(long_text);
  });
  for (int attempt = 1; attempt <= 2; ++attempt) {
    const auto result = lazy.await(Context::background());
    ASSERT_FALSE(result.has_value())
        << "attempt " << attempt << " failed, but await returned " << describe(result);
    EXPECT_EQ(result.error(), (Error{failure, "attempt " + std::to_string(attempt)}))
        << "every attempt's awaiter gets that attempt's error, not an older one: "
        << describe(result);
    EXPECT_EQ(*runs, attempt);
  }
  for (int i = 0; i < 2; ++i) {
    const auto result = lazy.await(Context::background());
    EXPECT_TRUE(is_the_report(result))
        << "the third attempt succeeded; await returned " << describe(result);
  }
  EXPECT_EQ(*runs, 3) << "a success is kept";
}

TEST(Basic, RetryLazyTriesAgainAfterAFailure) { retries_after(Errc::unavailable); }
TEST(Basic, RetryLazyTriesAgainAfterACancelledAttempt) { retries_after(Errc::cancelled); }

TEST(Basic, RetryLazyTriesAgainWhateverTheFailureSays) {
  for (const Error& error : workbook::errors_of_all_kinds()) {
    auto runs = std::make_shared<std::atomic<int>>(0);
    RetryLazy<int> lazy([runs, error](const Context&) -> Result<int> {
      if (++*runs == 1) return std::unexpected(error);
      return 7;
    });
    const auto failed = lazy.await(Context::background());
    ASSERT_FALSE(failed.has_value()) << describe(failed);
    EXPECT_EQ(failed.error(), error) << describe(failed);
    const auto next = lazy.await(Context::background());
    EXPECT_TRUE(next == Result<int>(7))
        << "attempt 1 failed with " << describe(failed) << ", and the next await got "
        << describe(next) << ": only a success is kept";
  }
}

TEST(Basic, RetryLazyTriesAgainAfterAnException) {
  auto runs = std::make_shared<std::atomic<int>>(0);
  RetryLazy<Report> lazy([runs](const Context&) -> Result<Report> {
    if (++*runs == 1) throw std::runtime_error("first");
    if (*runs == 2) throw 42;
    return Report(long_text);
  });
  EXPECT_EQ(code_of(lazy.await(Context::background())), Errc::exception);
  EXPECT_EQ(code_of(lazy.await(Context::background())), Errc::exception);
  const auto third = lazy.await(Context::background());
  EXPECT_TRUE(is_the_report(third)) << describe(third);
}

}  // namespace lazy_suite

// clang-format off: in the order in which a learner meets them
#include "suite_stress.hpp"
#include "suite_lifecycle.hpp"
#endif
#include "suite_explored.hpp"
// clang-format on
