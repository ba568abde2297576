// Task 3: one function and one await here, many of them in suite_stress.hpp, contexts that end in
// suite_lifecycle.hpp, races for the explorer in suite_explored.hpp.
#include <concepts>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "context_future.hpp"
#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "suite_support.hpp"
#include "testing/kit.hpp"

#ifndef WORKBOOK_RUNS_EXPLORED_ONLY
namespace context_future_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them
using namespace std::chrono_literals;

// The types of the contract: a value of any other could compare equal to whatever is expected.
static_assert(
    requires(const Context& context, futures::Fn<Result<int>(const Context&)>& fn) {
      { async_with_context<int>(context, std::move(fn)) } -> std::same_as<Receiver<Result<int>>>;
    }, "async_with_context<T>() returns a Receiver<Result<T>>");
static_assert(
    requires(const Context& context, Receiver<Result<int>>& future) {
      { futures::await(context, future) } -> std::same_as<Result<int>>;
    }, "await() returns a Result<T>");

TEST(Basic, AValueArrives) {
  auto future = async_with_context<int>(Context::background(), [](const Context&) { return 42; });
  EXPECT_EQ(await_for_ever(future), 42);
}

TEST(Basic, AnErrorArrivesAsItWasReturned) {
  auto future = async_with_context<int>(Context::background(), [](const Context&) -> Result<int> {
    return std::unexpected(disk_full);
  });
  const auto result = await_for_ever(future);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), disk_full) << "code and text belong to the function";
}

TEST(Basic, EveryErrorArrivesAsItWasReturned) {
  for (const Error& error : workbook::errors_of_all_kinds()) {
    auto future = async_with_context<int>(
        Context::background(),
        [error](const Context&) -> Result<int> { return std::unexpected(error); });
    const auto result = await_for_ever(future);
    ASSERT_FALSE(result) << testing::PrintToString(error);
    EXPECT_EQ(result.error(), error);
  }
}

TEST(Basic, TheCallReturnsWhileTheFunctionIsStillRunning) {
  const auto caller = std::this_thread::get_id();
  auto gate = std::make_shared<workbook::Gate>();
  auto future = async_with_context<bool>(Context::background(), [=](const Context&) {
    const bool on_the_caller = std::this_thread::get_id() == caller;
    if (!on_the_caller) gate->wait();
    return on_the_caller;
  });
  gate->open();
  EXPECT_EQ(await_for_ever(future), false)
      << "the function ran inside the call, on the caller's thread";
}

TEST(Basic, AValueNeedsNeitherACopyNorADefault) {
  auto future = async_with_context<workbook::MoveOnly>(
      Context::background(),
      [owned = std::make_unique<int>(7)](const Context&) { return workbook::MoveOnly(*owned); });
  const auto result = await_for_ever(future);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->value, 7);
}

TEST(Basic, TheFunctionIsNotCancelledWithoutReason) {
  auto gate = std::make_shared<workbook::Gate>();
  const CancelSource source = futures::with_cancel(Context::background());
  auto future = async_with_context<bool>(source.context(), [gate](const Context& ctx) {
    gate->wait();  // until the call has returned
    return ctx.done();
  });
  gate->open();
  EXPECT_EQ(await_for_ever(future), false)
      << "nobody cancelled, but the function's context had ended: who ended it?";
}

TEST(Basic, TheFunctionKnowsTheDeadline) {
  const CancelSource source = futures::with_timeout(Context::background(), 1h);
  using Deadline = std::optional<futures::Clock::time_point>;
  auto future = async_with_context<Deadline>(
      source.context(), [](const Context& ctx) -> Result<Deadline> { return ctx.deadline(); });
  const auto seen = await_for_ever(future);
  ASSERT_TRUE(seen);
  EXPECT_TRUE(*seen == source.context().deadline())
      << "the function sees another deadline than the caller set";
}

TEST(Basic, TheFunctionSeesADeadlineThatIsBroughtForward) {
  CancelSource source = futures::with_timeout(Context::background(), 2h);
  const auto sooner = futures::Clock::now() + 1h;
  auto begun = std::make_shared<workbook::Gate>();
  auto tightened = std::make_shared<workbook::Gate>();
  auto future = async_with_context<bool>(source.context(), [=](const Context& ctx) {
    begun->open();
    tightened->wait();
    return ctx.deadline() == sooner;
  });
  begun->wait();
  source.tighten(sooner);
  tightened->open();
  EXPECT_EQ(await_for_ever(future), true)
      << "the caller brought the deadline forward while the function was running: a copy of the "
         "deadline does not hear of that, the caller's own context does";
}

}  // namespace context_future_suite

// clang-format off: in the order in which a learner meets them
#include "suite_stress.hpp"
#include "suite_lifecycle.hpp"
#endif
#include "suite_explored.hpp"
// clang-format on
