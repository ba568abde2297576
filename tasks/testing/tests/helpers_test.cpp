// The small helpers: how much a flavour carries, gates, polling, tracked values.
#include <atomic>
#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "testing/kit.hpp"

namespace {

using namespace std::chrono_literals;
using workbook::Flavour;
using workbook::Gate;
using workbook::MoveOnly;
using workbook::Tracked;

TEST(Amounts, APlainTestGetsWhatItAsksFor) {
  if (workbook::flavour() != Flavour::plain) GTEST_SKIP();
  EXPECT_EQ(workbook::crowd(1000), 1000u);
  EXPECT_EQ(workbook::rounds(1000), 1000u);
}

TEST(Amounts, ASanitizedTestGetsLess) {
  if (workbook::flavour() == Flavour::plain) GTEST_SKIP();
  EXPECT_EQ(workbook::crowd(1000), 200u);
  EXPECT_EQ(workbook::crowd(7), 7u);
  EXPECT_EQ(workbook::rounds(1000), 250u);
}

TEST(Amounts, ThereIsAlwaysOneRound) {
  EXPECT_EQ(workbook::rounds(0), 1u);
  EXPECT_EQ(workbook::rounds(1), 1u);
}

TEST(AFailedExpectation, ShowsErrorsInWords) {
  using futures::Errc;
  using futures::Error;
  using testing::PrintToString;
  EXPECT_EQ(PrintToString(Errc::cancelled), "cancelled");
  EXPECT_EQ(PrintToString(make_error_code(Errc::lease_lost)), "lease lost");
  EXPECT_EQ(PrintToString(std::make_error_code(std::errc::no_space_on_device)),
            "No space left on device (generic 28)");
  EXPECT_EQ(PrintToString(Error{Errc::closed, "for \"ever\""}), R"(error closed, "for \"ever\"")");
  EXPECT_EQ(PrintToString(std::optional<Error>()), "(nullopt)");
}

TEST(AFailedExpectation, ShowsResultsWithWhatIsInThem) {
  using futures::Errc;
  using futures::Error;
  using futures::Result;
  using testing::PrintToString;
  EXPECT_EQ(PrintToString(Result<int>(7)), "value 7");
  EXPECT_EQ(PrintToString(Result<std::string>("ada")), R"(value "ada")");
  EXPECT_EQ(PrintToString(Result<void>()), "success");
  EXPECT_EQ(PrintToString(Result<int>(std::unexpected(Error{Errc::closed, ""}))),
            R"(error closed, "")");
  EXPECT_EQ(PrintToString(std::unexpected(Error{Errc::closed, ""})), R"(error closed, "")");
  EXPECT_EQ(PrintToString(std::vector<Result<int>>{1, 2}), "{ value 1, value 2 }");
}

TEST(AFailedExpectation, ShowsTimes) {
  using testing::PrintToString;
  EXPECT_EQ(PrintToString(1500us), "1.5 ms");
  EXPECT_EQ(PrintToString(2h), "7200 s");
  const auto now = std::chrono::steady_clock::now();
  EXPECT_TRUE(PrintToString(now - 1h).starts_with("36")) << PrintToString(now - 1h);
  EXPECT_TRUE(PrintToString(now - 1h).ends_with(" s ago")) << PrintToString(now - 1h);
  EXPECT_TRUE(PrintToString(now + 1h).starts_with("in 3")) << PrintToString(now + 1h);
}

TEST(AGate, LetsEverybodyThroughOnceItIsOpen) {
  Gate gate;
  std::atomic<int> through{0};
  {
    std::vector<std::jthread> waiters;
    for (int i = 0; i < 8; ++i) {
      waiters.emplace_back([&] {
        gate.wait();
        ++through;
      });
    }
    EXPECT_FALSE(gate.is_open());
    EXPECT_EQ(through, 0);
    gate.open();
  }
  EXPECT_EQ(through, 8);
  EXPECT_TRUE(gate.is_open());
  gate.wait();
}

TEST(AGate, StaysShutUntilItsLimit) {
  Gate gate;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(gate.wait_for(20ms));
  EXPECT_GE(std::chrono::steady_clock::now() - start, 20ms);
}

TEST(AGate, MayDieWhenItsWaitersAreThrough) {
  for (int i = 0; i < 200; ++i) {
    auto gate = std::make_unique<Gate>();
    std::jthread opener([raw = gate.get()] { raw->open(); });
    gate->wait();
    gate.reset();
  }
}

TEST(Eventually, ReturnsAtOnceWhenItHolds) {
  int calls = 0;
  EXPECT_TRUE(workbook::eventually([&] { return ++calls > 0; }));
  EXPECT_EQ(calls, 1);
}

TEST(Eventually, SeesWhatAnotherThreadDoes) {
  std::atomic<bool> done{false};
  std::jthread other([&] { done = true; });
  EXPECT_TRUE(workbook::eventually([&] { return done.load(); }));
}

TEST(Eventually, GivesUpAtItsLimit) {
  EXPECT_FALSE(workbook::eventually([] { return false; }, 20ms));
}

TEST(Eventually, MoreThreadsMayPollThanThereAreSeats) {
  std::atomic<int> polled{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 40; ++i) {
    threads.emplace_back([&] {
      ++polled;
      EXPECT_TRUE(workbook::eventually([&] { return polled == 40; }));
    });
  }
}

template <class T>
void check_counting() {
  ASSERT_EQ(T::live(), 0);
  {
    T first(7);
    EXPECT_EQ(T::live(), 1);
    T second = std::move(first);
    EXPECT_EQ(T::live(), 2) << "a moved-from value lives on";
    EXPECT_EQ(second.value, 7);
    EXPECT_EQ(first.value, -1);  // NOLINT(bugprone-use-after-move): that is the question
    first = std::move(second);
    EXPECT_EQ(first, T(7));
    EXPECT_EQ(T::live(), 2);
  }
  EXPECT_EQ(T::live(), 0);
}

TEST(ATrackedValue, IsCounted) { check_counting<Tracked>(); }

TEST(ATrackedValue, IsCountedPerKind) {
  const Tracked one;
  EXPECT_EQ(MoveOnly::live(), 0);
  check_counting<MoveOnly>();
}

TEST(ATrackedValue, CountsItsCopies) {
  const Tracked one(3);
  const std::vector<Tracked> copies(5, one);
  EXPECT_EQ(Tracked::live(), 6);
  EXPECT_EQ(copies.back(), one);
}

TEST(TheCensus, SeesThisTestsThreadsOnly) {
  EXPECT_TRUE(workbook::eventually([] { return workbook::live_threads() == 1; }));
  Gate gate;
  {
    const std::vector<std::jthread> others = [&] {
      std::vector<std::jthread> threads;
      for (int i = 0; i < 5; ++i) threads.emplace_back([&] { gate.wait(); });
      return threads;
    }();
    EXPECT_EQ(workbook::live_threads(), 6u);
    gate.open();
  }
  EXPECT_TRUE(workbook::eventually([] { return workbook::live_threads() == 1; }));
}

}  // namespace
