// A test program as a suite has it, for program_test.cpp.
#include <atomic>
#include <gtest/gtest.h>
#include <thread>

namespace {

TEST(Explored, ALostUpdateIsFound) {
  std::atomic<int> count{0};
  auto add = [&] {
    int seen = count;
    count = seen + 1;
  };
  std::thread a(add), b(add);
  a.join();
  b.join();
  EXPECT_EQ(count, 2);
}

TEST(Basic, IsNotRunInThisFlavour) { FAIL(); }

TEST(Explored, AnAtomicCounterIsRight) {
  std::atomic<int> count{0};
  std::jthread a([&] { ++count; });
  ++count;
  a.join();
  EXPECT_EQ(count, 2);
}

TEST(Explored, ASkippedTestIsSkipped) { GTEST_SKIP() << "not here"; }

}  // namespace
