// Breaks versions that take a failure for a value, or that forget somebody when the function fails.
#include <cstddef>
#include <gtest/gtest.h>
#include <optional>
#include <stdexcept>

#include "first_future.hpp"
#include "runtime/spawn.hpp"
#include "testing/kit.hpp"

namespace {

int fail(std::size_t how) {
  if (how % 2 == 0) throw std::runtime_error("no value today");
  throw 42;
}

// Some of the functions fail, others don't, all at once, and some of the futures are abandoned. A
// waiter gets its own value or learns that none will come; it never gets anything else.
TEST(MyTest, SuccessesAndFailuresAreNeverMixedUp) {
  workbook::stress(8, workbook::rounds(40), [](std::size_t thread, std::size_t round) {
    const int expected = static_cast<int>(1000 + thread);
    auto good = futures::async([expected] { return expected; });
    auto bad = futures::async([round]() -> int { return fail(round); });
    futures::async([expected] { return expected; });  // abandoned

    EXPECT_EQ(bad.receive(), std::nullopt) << "the function threw, so there is no value";
    EXPECT_EQ(good.receive(), expected);
    EXPECT_EQ(good.receive(), std::nullopt) << "one value, then closed";
  });

  // A version may let the exception go on to spawn(), which reports it. That is right as well, so
  // it must not fail the test.
  EXPECT_TRUE(workbook::eventually([] { return futures::spawned_threads() == 0; }));
  futures::take_escaped_exceptions();
}

}  // namespace
