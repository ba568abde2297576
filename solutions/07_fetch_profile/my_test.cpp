// What a group has to survive: siblings that answer the cancellation with errors of their own, many
// failures at once, functions that start functions, and being deleted at once.
#include <array>
#include <latch>
#include <memory>
#include <string>
#include <thread>

#include "fetch_profile.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"

namespace {

using futures::Context;
using futures::Errc;
using futures::Error;
using futures::ErrorGroup;
using futures::Result;

const Context kForever = Context::background();

Result<void> fail(const char* why) { return std::unexpected(Error{Errc::unavailable, why}); }

TEST(MyTest, ConsequencesNeverHideTheCauseAndNobodyIsLeftRunning) {
  workbook::stress(1, workbook::rounds(200), [](std::size_t, std::size_t) {
    std::array<bool, 5> back{};
    auto group = std::make_unique<ErrorGroup>(kForever);
    for (bool& flag : back) {
      group->go([&flag](const Context& context) {
        EXPECT_FALSE(context.sleep_for(workbook::patience)) << "nobody told this function to stop";
        flag = true;
        return fail("consequence");
      });
    }
    group->go([](const Context&) { return fail("cause"); });
    const auto outcome = group->wait();
    group.reset();
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().message, "cause");
    // Plain variables: to read them while somebody may still write is a race as well.
    for (const bool flag : back) EXPECT_TRUE(flag) << "wait returned too early";
  });
}

TEST(MyTest, ManyFailAtOnce) {
  workbook::stress(1, workbook::rounds(100), [](std::size_t, std::size_t) {
    ErrorGroup group(kForever);
    std::latch together(6);
    for (int i = 0; i < 6; ++i) {
      group.go([&together](const Context&) {
        together.arrive_and_wait();
        return fail("a message that is too long to be kept inside the string object itself");
      });
    }
    EXPECT_FALSE(group.wait());
  });
}

TEST(MyTest, AFunctionStartsAnother) {
  workbook::stress(1, workbook::rounds(100), [](std::size_t, std::size_t) {
    bool ran = false;
    ErrorGroup group(kForever);
    group.go([&](const Context&) {
      group.go([&](const Context&) {
        std::this_thread::yield();
        ran = true;
        return Result<void>();
      });
      return Result<void>();
    });
    EXPECT_TRUE(group.wait());
    EXPECT_TRUE(ran) << "nobody waited for the function that was started by a function";
  });
}

}  // namespace
