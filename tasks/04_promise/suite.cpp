// Task 4: one thread or two here, many in suite_stress.hpp, awaiters that leave and values that
// come too late in suite_lifecycle.hpp, races for the explorer in suite_explored.hpp. Promises live
// in shared_ptrs where a thread of the test might outlive the test body; where the point is that
// nothing outlives anything, they do not.
#include <chrono>
#include <concepts>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "promise.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "suite_support.hpp"
#include "testing/kit.hpp"

#ifndef WORKBOOK_RUNS_EXPLORED_ONLY
namespace promise_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them

// The types of the contract: a value of any other could compare equal to whatever is expected.
static_assert(
    requires(Promise<int>& promise) {
      { promise.resolve(1) } -> std::same_as<bool>;
    }, "resolve() returns a bool");
static_assert(
    requires(Promise<int>& promise, const Error& error) {
      { promise.reject(error) } -> std::same_as<bool>;
    }, "reject() returns a bool");
static_assert(
    requires(Promise<int>& promise, const Context& context) {
      { std::as_const(promise).await(context) } -> std::same_as<Result<int>>;
    }, "await() returns a Result<T>");
static_assert(
    requires(Promise<int>& promise) {
      { std::as_const(promise).settled() } -> std::same_as<bool>;
    }, "settled() returns a bool");

TEST(Basic, ANewPromiseIsNotSettled) {
  const Promise<int> promise;
  EXPECT_FALSE(promise.settled()) << "nobody has called resolve or reject yet";
}

TEST(Basic, AwaitReturnsTheValueThatWasResolved) {
  Promise<std::string> promise;
  EXPECT_TRUE(promise.resolve("hello")) << "the first resolve settles the promise and says so";
  EXPECT_TRUE(promise.settled());
  const auto result = promise.await(kForever);
  ASSERT_TRUE(result) << "await returned the error " << result.error().message;
  EXPECT_EQ(*result, "hello");
}

TEST(Basic, AwaitReturnsTheErrorThatWasRejected) {
  Promise<std::string> promise;
  EXPECT_TRUE(promise.reject(Error{Errc::unavailable, "the printer is on fire"}));
  EXPECT_TRUE(promise.settled()) << "a rejected promise is settled, too";
  const auto result = promise.await(kForever);
  ASSERT_FALSE(result) << "await returned the value \"" << *result << "\" of a rejected promise";
  EXPECT_EQ(result.error(), (Error{Errc::unavailable, "the printer is on fire"}))
      << "the error must arrive as it was given";
}

TEST(Basic, EveryErrorArrivesAsItWasRejected) {
  for (const Error& error : workbook::errors_of_all_kinds()) {
    Promise<int> promise;
    EXPECT_TRUE(promise.reject(error));
    const auto result = promise.await(Context::background());
    ASSERT_FALSE(result) << testing::PrintToString(error);
    EXPECT_EQ(result.error(), error);
  }
}

TEST(Basic, TheFirstToSettleWinsAndLaterCallsAreSilentNoOps) {
  Promise<int> resolved;
  EXPECT_TRUE(resolved.resolve(1));
  EXPECT_FALSE(resolved.resolve(2)) << "the second resolve did not settle the promise";
  EXPECT_FALSE(resolved.reject(Error{Errc::unavailable, "late"}));
  EXPECT_EQ(said(resolved.await(kForever)), "the value 1") << "a later call changed the result";

  Promise<int> rejected;
  EXPECT_TRUE(rejected.reject(Error{Errc::unavailable, "first"}));
  EXPECT_FALSE(rejected.reject(Error{Errc::closed, "second"}));
  EXPECT_FALSE(rejected.resolve(3));
  const auto result = rejected.await(kForever);
  ASSERT_FALSE(result) << "a later resolve turned the failure into " << said(result);
  EXPECT_EQ(result.error().message, "first") << "a later reject changed the error";
}

TEST(Basic, AwaitCanBeCalledAgainAndReturnsTheSame) {
  Promise<std::string> promise;
  promise.resolve("a string that is too long to live inside the string object");
  const auto first = promise.await(kForever);
  const auto second = promise.await(kForever);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(*second, *first) << "the first await must leave the result where it is";
}

TEST(Basic, AResultThatIsThereBeatsAnEndedContext) {
  const auto ended = cancelled_context();
  Promise<int> resolved;
  resolved.resolve(7);
  EXPECT_EQ(said(resolved.await(ended)), "the value 7")
      << "the work was done; that the context ended as well is no reason to drop it";

  Promise<int> rejected;
  rejected.reject(Error{Errc::unavailable, ""});
  const auto result = rejected.await(ended);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::unavailable)
      << "an error is a result as well: it is what the caller asked for";
}

TEST(Basic, AwaitGivesUpWhenItsContextWasCancelled) {
  Promise<int> promise;
  const auto result = promise.await(cancelled_context());
  ASSERT_FALSE(result) << "nobody settled the promise, and yet await returned " << said(result);
  EXPECT_EQ(result.error().code, Errc::cancelled);
  EXPECT_FALSE(promise.settled()) << "giving up on a promise does not settle it";
  EXPECT_TRUE(promise.resolve(7))
      << "an await that gave up must not stop the promise from settling";
  EXPECT_EQ(said(promise.await(kForever)), "the value 7");
}

TEST(Basic, AwaitSaysWhyItsContextEnded) {
  const Promise<int> promise;
  for (const Error& why : workbook::errors_of_all_kinds()) {
    const auto result = promise.await(workbook::ended(why));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error(), why) << "whoever cancelled has said why, and await knows better?";
  }
}

TEST(Basic, AwaitGivesUpAtItsDeadline) {
  const Promise<int> promise;
  for (std::size_t round = 0; round < workbook::rounds(40); ++round) {
    const auto soon = with_timeout(kForever, std::chrono::milliseconds(1));
    const auto result = promise.await(soon.context());
    ASSERT_FALSE(result) << "nobody settled the promise, and yet await returned " << said(result);
    ASSERT_EQ(result.error().code, Errc::deadline_exceeded)
        << "the context knows why it ended: \"" << result.error().code.message()
        << "\" is not it. Did await go by the clock instead of asking the context?";
  }
}

TEST(Basic, TheValueNeedsNoDefaultConstructor) {
  Promise<NoDefault> promise;
  EXPECT_FALSE(promise.await(cancelled_context()));
  promise.resolve(NoDefault(5));
  const auto result = promise.await(kForever);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->value, 5);
}

TEST(Basic, AnAwaiterOnAnotherThreadGetsTheResult) {
  Promise<int> promise;
  ASSERT_FALSE(promise.settled());
  workbook::Gate about_to_await;
  std::optional<Result<int>> result;
  std::jthread awaiter([&] {
    about_to_await.open();
    result = promise.await(kForever);
  });
  about_to_await.wait();
  promise.resolve(7);
  awaiter.join();
  EXPECT_EQ(said(*result), "the value 7");
}

}  // namespace promise_suite

// clang-format off: in the order in which a learner meets them
#include "suite_stress.hpp"
#include "suite_lifecycle.hpp"
#endif
#include "suite_explored.hpp"
// clang-format on
