// What a future that can fail must do. Every test is a sentence; the failure says what to think
// about.
#include <atomic>
#include <concepts>
#include <cstddef>
#include <expected>
#include <gtest/gtest.h>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "result_future.hpp"
#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"

namespace result_future_suite {

using futures::async_result;
using futures::Errc;
using futures::Error;
using futures::Receiver;
using futures::Result;

// The types of the contract: a value of any other could compare equal to whatever is expected.
static_assert(
    requires(futures::Fn<Result<int>()>& fn) {
      { async_result<int>(std::move(fn)) } -> std::same_as<Receiver<Result<int>>>;
    }, "async_result<T>() returns a Receiver<Result<T>>");

const Error disk_full{Errc::unavailable, "the disk is full"};

Result<int> fail_with(Error error) { return std::unexpected(std::move(error)); }

// What one message must be, and that there is no second one.
template <class T>
void expect_value(Receiver<Result<T>>& future, const T& expected) {
  const std::optional<Result<T>> message = future.receive();
  ASSERT_TRUE(message) << "closed without a message: the waiter is owed a value or an error";
  ASSERT_TRUE(message->has_value())
      << "an error instead of the value: " << message->error().message;
  EXPECT_TRUE(**message == expected);
  EXPECT_FALSE(future.receive()) << "one message and no more: this is a second one";
}

template <class T>
void expect_error(Receiver<Result<T>>& future, Errc expected) {
  const std::optional<Result<T>> message = future.receive();
  ASSERT_TRUE(message) << "closed without a message: the waiter is owed a value or an error";
  ASSERT_FALSE(message->has_value()) << "the function failed, and this looks like a success";
  EXPECT_EQ(message->error().code, expected) << message->error().message;
  EXPECT_FALSE(future.receive()) << "one message and no more: this is a second one";
}

#ifndef WORKBOOK_RUNS_EXPLORED_ONLY

TEST(Basic, AValueArrives) {
  auto future = async_result<int>([] { return 42; });
  const auto message = future.receive();
  ASSERT_TRUE(message) << "closed without a message";
  ASSERT_TRUE(message->has_value());
  EXPECT_EQ(**message, 42);
}

TEST(Basic, AnErrorArrivesAsItWasReturned) {
  auto future = async_result<int>([] { return fail_with(disk_full); });
  const auto message = future.receive();
  ASSERT_TRUE(message) << "closed without a message: an error is a message, too";
  ASSERT_FALSE(message->has_value());
  EXPECT_EQ(message->error(), disk_full) << "code and text belong to the caller";
}

TEST(Basic, AnErrorOfAnotherLibraryArrivesAsItWasReturned) {
  const Error error{std::make_error_code(std::errc::no_space_on_device), "/var is full"};
  auto future = async_result<int>([error] { return fail_with(error); });
  const auto message = future.receive();
  ASSERT_TRUE(message && !message->has_value());
  EXPECT_TRUE(message->error() == error)
      << "a code is a number and its category: this one is " << message->error().code;
}

TEST(Basic, EveryErrorArrivesAsItWasReturned) {
  for (const Error& error : workbook::errors_of_all_kinds()) {
    auto future = async_result<int>([error] { return fail_with(error); });
    const auto message = future.receive();
    ASSERT_TRUE(message && !message->has_value()) << testing::PrintToString(error);
    EXPECT_EQ(message->error(), error);
  }
}

TEST(Basic, AValueIsMovedAlsoWhenItCouldBeCopied) {
  struct Counting {
    explicit Counting(std::shared_ptr<std::atomic<int>> copies) : copies(std::move(copies)) {}
    Counting(const Counting& other) : copies(other.copies) { ++*copies; }
    // NOLINTNEXTLINE(performance-noexcept-move-constructor): that is the point
    Counting(Counting&& other) : copies(other.copies) {}
    Counting& operator=(const Counting&) = default;
    ~Counting() = default;
    std::shared_ptr<std::atomic<int>> copies;
  };
  auto copies = std::make_shared<std::atomic<int>>(0);
  auto future = async_result<Counting>([copies] { return Counting(copies); });
  EXPECT_TRUE(future.receive());
  EXPECT_EQ(*copies, 0) << "a value that is copied on its way may be expensive, or worth nothing";
}

TEST(Basic, ASecondReceiveReturnsNulloptAtOnce) {
  auto good = async_result<int>([] { return 1; });
  ASSERT_TRUE(good.receive());
  EXPECT_FALSE(good.receive()) << "a second message after the value";
  EXPECT_TRUE(good.closed());
  auto bad = async_result<int>([] { return fail_with(disk_full); });
  ASSERT_TRUE(bad.receive());
  EXPECT_FALSE(bad.receive()) << "a second message after the error";
  EXPECT_TRUE(bad.closed());
}

TEST(Basic, ASuccessMayHaveNoValue) {
  auto good = async_result<void>([] { return Result<void>(); });
  EXPECT_EQ(good.receive(), std::optional(Result<void>()));
  EXPECT_FALSE(good.receive()) << "a second message after the success";
  auto bad = async_result<void>([]() -> Result<void> { return std::unexpected(disk_full); });
  EXPECT_EQ(bad.receive(), std::optional<Result<void>>(std::unexpected(disk_full)));
  EXPECT_FALSE(bad.receive()) << "a second message after the error";
}

TEST(Basic, TheCallReturnsWhileTheFunctionIsStillRunning) {
  const auto caller = std::this_thread::get_id();
  auto gate = std::make_shared<workbook::Gate>();
  auto future = async_result<bool>([=]() -> Result<bool> {
    const bool on_the_caller = std::this_thread::get_id() == caller;
    if (!on_the_caller) gate->wait();
    return on_the_caller;
  });
  EXPECT_FALSE(future.closed()) << "closed before the function had returned";
  gate->open();
  const auto message = future.receive();
  ASSERT_TRUE(message && message->has_value());
  EXPECT_FALSE(**message) << "the function ran inside the call, on the caller's thread";
}

TEST(Basic, AValueNeedsNeitherACopyNorADefault) {
  auto future = async_result<workbook::MoveOnly>([] { return workbook::MoveOnly(7); });
  expect_value(future, workbook::MoveOnly(7));
  auto text = async_result<std::unique_ptr<std::string>>(
      [owned = std::make_unique<std::string>("hello")]() mutable { return std::move(owned); });
  const auto message = text.receive();
  ASSERT_TRUE(message && message->has_value());
  EXPECT_EQ(***message, "hello");
}

TEST(Stress, EveryWaiterGetsItsOwnMessageAndNoOther) {
  workbook::stress(8, workbook::rounds(60), [](std::size_t thread, std::size_t round) {
    const int number = static_cast<int>(thread * 1000 + round);
    auto good = async_result<int>([number] { return number; });
    auto bad = async_result<int>([number] {
      return fail_with(Error{Errc::unavailable, "attempt " + std::to_string(number)});
    });
    expect_value(good, number);
    const auto message = bad.receive();
    ASSERT_TRUE(message && !message->has_value()) << "the error did not arrive as an error";
    EXPECT_EQ(message->error().message, "attempt " + std::to_string(number));
    EXPECT_FALSE(bad.receive());
  });
}

TEST(Stress, HundredsOfFunctionsRunAtTheSameTime) {
  const std::size_t total = workbook::crowd(300);
  auto meeting = std::make_shared<workbook::Meeting>(total);
  std::vector<Receiver<Result<int>>> futures;
  for (std::size_t i = 0; i < total; ++i) {
    futures.push_back(async_result<int>([meeting] {
      meeting->meet();
      return 1;
    }));
  }
  EXPECT_TRUE(meeting->all_met()) << "of " << total << " functions only " << meeting->here()
                                  << " have begun; each waits for all the others";
  for (auto& future : futures) expect_value(future, 1);
}

TEST(Stress, ManyFailuresAtOnceStayApart) {
  workbook::stress(8, workbook::rounds(40), [](std::size_t thread, std::size_t) {
    auto future = async_result<std::size_t>([thread]() -> Result<std::size_t> {
      if (thread % 2 == 0) throw std::runtime_error("no value from " + std::to_string(thread));
      throw thread;
    });
    expect_error(future, Errc::exception);
  });
}

TEST(Stress, OfManyReceiversExactlyOneGetsTheMessage) {
  struct Shared {
    Receiver<Result<int>> future = async_result<int>([] { return 9; });
    std::atomic<int> messages{0};
  };
  workbook::stress_on(
      8, workbook::rounds(40), [] { return std::make_unique<Shared>(); },
      [](std::unique_ptr<Shared>& shared, std::size_t) {
        Receiver<Result<int>> mine = shared->future;
        if (const auto message = mine.receive()) {
          ++shared->messages;
          EXPECT_EQ(message->value_or(-1), 9);
        }
      },
      [](std::unique_ptr<Shared>& shared) {
        EXPECT_EQ(shared->messages, 1) << "eight threads received; exactly one gets the message";
      });
}

TEST(Lifecycle, AnExceptionArrivesAsAnError) {
  auto future = async_result<int>([]() -> Result<int> { throw std::runtime_error("no luck"); });
  expect_error(future, Errc::exception);
}

// What std::expected::value() throws has an error inside, which is not what fn returned.
TEST(Lifecycle, SomethingThrownThatIsNoStdExceptionArrivesAsAnError) {
  auto number = async_result<int>([]() -> Result<int> { throw 42; });
  expect_error(number, Errc::exception);
  auto no_text =
      async_result<int>([]() -> Result<int> { throw static_cast<const char*>(nullptr); });
  expect_error(no_text, Errc::exception);
}

TEST(Lifecycle, AnExceptionThatBringsACodeOfItsOwnArrivesAsAnErrorToo) {
  auto code = async_result<int>(
      []() -> Result<int> { throw std::system_error(make_error_code(std::errc::io_error)); });
  auto error = async_result<int>([]() -> Result<int> { throw disk_full; });
  auto access = async_result<int>([] { return Result<int>(fail_with(disk_full)).value(); });
  for (auto* future : {&code, &error, &access}) {
    const auto message = future->receive();
    ASSERT_TRUE(message) << "closed without a message";
    EXPECT_FALSE(message->has_value()) << "the function threw, and this looks like a success";
  }
}

TEST(Lifecycle, AnExceptionIsNoSuccessWithoutAValue) {
  auto future = async_result<void>([]() -> Result<void> { throw 42; });
  const auto message = future.receive();
  ASSERT_TRUE(message) << "the function threw, and there was no message";
  ASSERT_FALSE(*message) << "the function threw, and the message is a success";
  EXPECT_EQ(message->error().code, Errc::exception);
}

TEST(Lifecycle, ALongTextOfAnExceptionOutlivesTheException) {
  // Too long for any string's inner buffer: whoever keeps a pointer to it keeps a dangling one.
  const std::string text(200, 'x');
  auto future = async_result<int>([text]() -> Result<int> { throw std::runtime_error(text); });
  expect_error(future, Errc::exception);
}

TEST(Lifecycle, AbandonedFuturesLeaveNoThread) {
  const std::size_t total = workbook::crowd(100);
  auto finished = std::make_shared<std::atomic<std::size_t>>(0);
  for (std::size_t i = 0; i < total; ++i) {
    async_result<int>([finished, i]() -> Result<int> {
      finished->fetch_add(1);
      if (i % 3 == 0) return 1;
      if (i % 3 == 1) return fail_with(disk_full);
      throw std::runtime_error("nobody will read this");
    });  // nobody keeps the receiver
  }
  EXPECT_TRUE(workbook::eventually([&] { return finished->load() == total; }))
      << "of " << total << " abandoned functions only " << *finished << " have run";
}

TEST(Lifecycle, TheFunctionRunsOnceAlsoWhenItFails) {
  auto calls = std::make_shared<std::atomic<int>>(0);
  auto returned = async_result<int>([calls] {
    ++*calls;
    return fail_with(disk_full);
  });
  expect_error(returned, Errc::unavailable);
  EXPECT_EQ(*calls, 1) << "the function returned an error and was called again";
  auto threw = async_result<int>([calls]() -> Result<int> {
    ++*calls;
    throw std::bad_alloc();
  });
  expect_error(threw, Errc::exception);
  EXPECT_EQ(*calls, 2) << "the function threw and was called again";
}

TEST(Lifecycle, CapturesAndResultsAreDestroyed) {
  const int captures = workbook::Tracked::live();
  const int results = workbook::MoveOnly::live();
  {
    auto good = async_result<workbook::MoveOnly>(
        [t = workbook::Tracked(1)] { return workbook::MoveOnly(t.value); });
    EXPECT_TRUE(good.receive());
    auto bad = async_result<workbook::MoveOnly>(
        [t = workbook::Tracked(1)]() -> Result<workbook::MoveOnly> { throw t.value; });
    EXPECT_TRUE(bad.receive());
    async_result<workbook::MoveOnly>([] { return workbook::MoveOnly(3); });  // abandoned
  }
  EXPECT_TRUE(workbook::eventually([&] { return workbook::Tracked::live() == captures; }))
      << "the functions have run, but what they captured is still alive: who keeps it?";
  EXPECT_TRUE(workbook::eventually([&] { return workbook::MoveOnly::live() == results; }))
      << "nobody holds a future any more, but a result is still alive: who keeps it?";
}

TEST(Lifecycle, ACaptureMayStartAFutureWhenItIsDestroyed) {
  ASSERT_TRUE(async_result<int>([] { return 4; }).receive());
  auto over = std::make_shared<workbook::Gate>();
  auto future = async_result<int>([last = workbook::LastWords([over] {
                                     if (async_result<int>([] { return 5; }).receive())
                                       over->open();
                                   })] { return 4; });
  expect_value(future, 4);
  EXPECT_TRUE(over->wait_for()) << "a capture's destructor calls async_result() and waits: who "
                                   "destroys captures under a lock?";
}

TEST(Lifecycle, AFutureMayBeStartedWhileAnExceptionIsOnItsWay) {
  ASSERT_TRUE(async_result<int>([] { return 4; }).receive());
  std::optional<Receiver<Result<int>>> value;
  std::optional<Receiver<Result<int>>> failure;
  try {
    const workbook::LastWords cleaning_up([&] {
      value = async_result<int>([] { return 7; });
      failure = async_result<int>([]() -> Result<int> { throw 42; });
    });
    throw std::runtime_error("the caller's own");
  } catch (const std::runtime_error&) {
    expect_value(*value, 7);
    expect_error(*failure, Errc::exception);
  }
}

#endif

TEST(Explored, AValueIsOneMessageAndThenTheChannelIsClosed) {
  auto future = async_result<int>([] { return 42; });
  expect_value(future, 42);
}

TEST(Explored, AnErrorIsOneMessageAndThenTheChannelIsClosed) {
  auto future = async_result<int>([] { return fail_with(disk_full); });
  expect_error(future, Errc::unavailable);
}

TEST(Explored, AnExceptionIsOneMessageAndThenTheChannelIsClosed) {
  auto future = async_result<int>([]() -> Result<int> { throw 42; });
  expect_error(future, Errc::exception);
}

TEST(Explored, TwoFailuresDoNotDisturbEachOther) {
  auto one = async_result<int>([] { return fail_with(disk_full); });
  auto two = async_result<int>([] { return fail_with(Error{Errc::not_found, "no such file"}); });
  expect_error(two, Errc::not_found);
  expect_error(one, Errc::unavailable);
}

TEST(Explored, AThreadThatIsAboutToGoIsNotPromisedTwice) {
  auto before = async_result<int>([] { return 1; });
  expect_value(before, 1);
  auto gate = std::make_shared<workbook::Gate>();
  auto waits = async_result<int>([gate] {
    gate->wait();
    return 2;
  });
  async_result<int>([gate] {
    gate->open();
    return 3;
  });
  expect_value(waits, 2);  // or for ever: the second stands behind the first, which waits for it
}

TEST(Explored, TheProducerOfAnAbandonedFutureEnds) {
  async_result<int>([] { return 42; });
}

}  // namespace result_future_suite
