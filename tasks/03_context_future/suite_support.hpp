// Task 3: futures that are ready, and what an await has to say.
#pragma once

#include "context_future.hpp"
#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"

namespace context_future_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them
using namespace std::chrono_literals;

const Error disk_full{Errc::unavailable, "the disk is full"};

template <class T>
Result<T> await_for_ever(Receiver<Result<T>>& future) {
  return futures::await(Context::background(), future);
}

// Whatever T is: an error with this code. Says what was there instead.
// An object, so that no overload in a header under test stands in for it.
constexpr auto fails_with = []<class T>(const Result<T>& result,
                                        Errc expected) -> testing::AssertionResult {
  if (result) return testing::AssertionFailure() << "a success, where an error was due";
  if (result.error().code == expected) return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << "another error: " << result.error().code.message() << ", " << result.error().message;
};

// What is left for the second await of a function that returns 7, when the first has given up: that
// value, or an error, when the context had ended before the function could begin and it was left
// out for that (the first await may have had the message that said so). `begun`: it was not.
constexpr auto delivers_7 = [](const Result<int>& result, bool begun) -> testing::AssertionResult {
  if (!begun && !result) return testing::AssertionSuccess();
  if (result && *result == 7) return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << (result ? "another value"
                    : result.error().code.message() + ", " + result.error().message)
         << ", and the function returned 7, whatever the context did";
};

void wait_for_the_end(const Context& ctx) {
  while (!ctx.done()) (void)ctx.sleep_for(1h);
}

// A future whose message lies ready.
Receiver<Result<int>> finished_with_7() {
  auto future = async_with_context<int>(Context::background(), [](const Context&) { return 7; });
  EXPECT_TRUE(workbook::eventually([&] { return future.closed(); }))
      << "the function has returned, but the channel was not closed";
  return future;
}

}  // namespace context_future_suite
