// Stacks of other threads, and how they read.
#include "testing/stacks.hpp"

#include <array>
#include <atomic>
#include <map>
#include <source_location>
#include <thread>
#include <unistd.h>

#include "testing/kit.hpp"
#include "testing/stacks_text.hpp"

namespace {

using workbook::Gate;
using workbook::stacks::in_words;
using workbook::stacks::Symbol;

void* at(std::uintptr_t number) { return reinterpret_cast<void*>(number); }

const std::map<void*, std::vector<Symbol>> program{
    {at(1), {{"futures::Promise<int>::await", "/stage/04_promise/promise.hpp", 41}}},
    {at(2), {{"Basic_Awaits_Test::TestBody", "/stage/04_promise/suite.cpp", 88}}},
    {at(3), {{"pthread_cond_wait", "", 0}}},
    {at(4), {{"std::condition_variable::wait", "/usr/include/c++/12/condition_variable", 100}}},
    {at(5), {{"workbook::Gate::wait", "/stage/testing/gate.hpp", 30}}},
    {at(6), {{"futures::detail::Timer::run", "/stage/runtime/timer.hpp", 95}}},
    {at(7), {{"std::thread::join", "", 0}}},
};

TEST(AStackInWords, ShowsTheCodeUnderTestAndWhatItDoes) {
  const auto report = in_words({{1, {at(3), at(4), at(1), at(2)}}}, program);
  EXPECT_EQ(report.text,
            "a thread, waiting on a condition variable:\n"
            "  04_promise/promise.hpp:41  futures::Promise<int>::await\n"
            "  04_promise/suite.cpp:88  Basic_Awaits_Test::TestBody\n");
  EXPECT_EQ(report.first.file, "04_promise/promise.hpp");
  EXPECT_EQ(report.first.line, 41);
}

TEST(AStackInWords, TellsTheTasksOwnCodeFirst) {
  const auto report = in_words({{::getpid(), {at(7), at(2)}},  //
                                {2, {at(3), at(4), at(6)}},
                                {3, {at(3), at(4), at(1)}},
                                {4, {at(3), at(4), at(5)}}},
                               program);
  EXPECT_EQ(report.text,
            "a thread, waiting on a condition variable:\n"
            "  04_promise/promise.hpp:41  futures::Promise<int>::await\n"
            "the test's own thread, joining a thread:\n"
            "  04_promise/suite.cpp:88  Basic_Awaits_Test::TestBody\n"
            "a thread, waiting on a condition variable:\n"
            "  runtime/timer.hpp:95  futures::detail::Timer::run\n"
            "a thread, waiting on a condition variable (outside of the code under test)\n");
}

TEST(AStackInWords, CountsThreadsAtTheSamePlace) {
  const auto report =
      in_words({{1, {at(3), at(1)}}, {2, {at(3), at(1)}}, {3, {at(3), at(1)}}}, program);
  EXPECT_EQ(report.text,
            "3 threads, waiting on a condition variable:\n"
            "  04_promise/promise.hpp:41  futures::Promise<int>::await\n");
}

TEST(AStackInWords, ShortensARecursion) {
  const auto report = in_words({{1, std::vector<void*>(50, at(1))}}, program);
  EXPECT_NE(report.text.find("  and 35 more\n"), std::string::npos) << report.text;
}

TEST(AStackInWords, AdmitsThatThereIsNone) {
  const auto report = in_words({{1, {}}}, program);
  EXPECT_EQ(report.text, "a thread: no stack, it does not react\n");
  EXPECT_EQ(report.first.file, "");
}

TEST(ACapturedStack, NamesTheLineOfABlockedThread) {
  Gate gate;
  std::atomic<int> tid{0};
  int line = 0;
  std::jthread blocked([&] {
    line = static_cast<int>(std::source_location::current().line()) + 2;
    tid = ::gettid();
    gate.wait();
  });
  ASSERT_TRUE(workbook::eventually([&] { return tid != 0; }));
  const auto expected = "tests/stacks_test.cpp:" + std::to_string(line) + "  ";
  std::string text;
  EXPECT_TRUE(workbook::eventually([&] {
    const std::array<int, 1> tids{tid.load()};
    text = workbook::stacks::describe(workbook::stacks::capture(tids)).text;
    return text.find(expected) != std::string::npos;
  })) << expected
      << "\n"
      << text;
  gate.open();
}

TEST(ACapturedStack, OfAThreadThatHasEndedIsEmpty) {
  int tid = 0;
  std::thread([&] { tid = ::gettid(); }).join();
  const std::array<int, 1> tids{tid};
  const auto stacks = workbook::stacks::capture(tids);
  ASSERT_EQ(stacks.size(), 1u);
  EXPECT_TRUE(stacks[0].frames.empty());
}

TEST(ACapturedStack, LetsTheThreadGoOn) {
  std::atomic<bool> stop{false};
  std::atomic<int> tid{0};
  std::atomic<long> turns{0};
  std::jthread busy([&] {
    tid = ::gettid();
    while (!stop) ++turns;
  });
  ASSERT_TRUE(workbook::eventually([&] { return tid != 0; }));
  // Often enough to meet the thread inside a sanitizer's runtime, holding its locks.
  for (int i = 0; i < 1000; ++i) {
    const std::array<int, 1> tids{tid.load()};
    EXPECT_FALSE(workbook::stacks::capture(tids)[0].frames.empty());
  }
  const long before = turns;
  EXPECT_TRUE(workbook::eventually([&] { return turns > before; }));
  stop = true;
}

}  // namespace
