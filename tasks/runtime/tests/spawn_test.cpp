#include "runtime/spawn.hpp"

#include <atomic>
#include <gtest/gtest.h>
#include <latch>
#include <memory>
#include <source_location>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "threads.hpp"

namespace futures {
namespace {

using test::eventually;

TEST(Spawn, RunsOnAThreadOfItsOwn) {
  std::atomic<std::thread::id> id;
  spawn([&] { id = std::this_thread::get_id(); });
  ASSERT_TRUE(eventually([] { return spawned_threads() == 0; }));
  EXPECT_NE(id.load(), std::thread::id());
  EXPECT_NE(id.load(), std::this_thread::get_id());
}

TEST(Spawn, CountsExactly) {
  std::latch go(1);
  for (int i = 0; i < 50; ++i) spawn([&] { go.wait(); });
  EXPECT_EQ(spawned_threads(), 50U);
  go.count_down();
  EXPECT_TRUE(eventually([] { return spawned_threads() == 0; }));
}

TEST(Spawn, CapturesAreGoneWhenTheThreadIsCountedOut) {
  auto alive = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = alive;
  spawn([alive = std::move(alive)] {});
  ASSERT_TRUE(eventually([] { return spawned_threads() == 0; }));
  EXPECT_TRUE(watch.expired());
}

TEST(Spawn, AnEscapedExceptionIsReportedWithItsTextAndItsPlace) {
  const auto line = std::source_location::current().line() + 1;
  spawn([] { throw std::runtime_error("lost"); });
  spawn([] { throw 42; });
  ASSERT_TRUE(eventually([] { return spawned_threads() == 0; }));
  const auto reports = take_escaped_exceptions();
  ASSERT_EQ(reports.size(), 2U);
  const std::string both = reports[0] + reports[1];
  EXPECT_NE(both.find("lost"), std::string::npos) << both;
  EXPECT_NE(both.find("spawn_test.cpp:" + std::to_string(line)), std::string::npos) << both;
  EXPECT_TRUE(take_escaped_exceptions().empty());
}

TEST(Spawn, ThreadsStartedByOthersAreNotCounted) {
  std::latch go(1);
  std::jthread other([&] { go.wait(); });
  EXPECT_EQ(spawned_threads(), 0U);
  go.count_down();
}

}  // namespace
}  // namespace futures
