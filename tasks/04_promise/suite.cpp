// The checks of task 4. Promises live in shared_ptrs where a thread of the test might outlive the
// test body; where the point is that nothing outlives anything, they do not.
#include <array>
#include <atomic>
#include <chrono>
#include <concepts>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "promise.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"

namespace promise_suite {

using futures::Context;
using futures::Errc;
using futures::Error;
using futures::Promise;
using futures::Result;
using futures::with_cancel;
using futures::with_timeout;

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

const Context kForever = Context::background();

// What an await returned, for failure messages.
// An object, so that no overload in a header under test stands in for it.
constexpr auto said = [](const Result<int>& result) -> std::string {
  return result ? "the value " + std::to_string(*result)
                : "the error \"" + result.error().code.message() + "\"";
};

Context cancelled_context() {
  auto source = with_cancel(kForever);
  source.cancel();
  return source.context();
}

struct NoDefault {
  explicit NoDefault(int v) : value(v) {}
  int value;
};

// Throws when it is copied on a thread while `armed` there.
struct Brittle {
  Brittle() = default;
  Brittle(const Brittle&) {
    if (armed) throw std::runtime_error("this copy was not meant to succeed");
  }
  Brittle(Brittle&&) noexcept {}
  Brittle& operator=(const Brittle&) = default;
  Brittle& operator=(Brittle&&) noexcept { return *this; }
  static inline thread_local bool armed = false;
};

#ifndef WORKBOOK_RUNS_EXPLORED_ONLY

// Basic ------------------------------------------------------------------------------------------

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

// Stress -----------------------------------------------------------------------------------------

TEST(Stress, OfAThousandResolversExactlyOneSettles) {
  struct State {
    Promise<int> promise;
    std::atomic<int> transitions{0};
    std::atomic<int> winner{-1};
  };
  workbook::stress_on(
      workbook::crowd(1000), workbook::rounds(1), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t thread) {
        if (!state->promise.resolve(static_cast<int>(thread))) return;
        ++state->transitions;
        state->winner = static_cast<int>(thread);
      },
      [](auto& state) {
        EXPECT_EQ(state->transitions, 1)
            << "this many resolvers were told that they settled the promise; is there a moment in "
               "which two of them can both find it unsettled?";
        const auto result = state->promise.await(kForever);
        ASSERT_TRUE(result);
        EXPECT_EQ(*result, state->winner) << "the result is not the one of the resolver that won";
      });
}

TEST(Stress, ResolversRejectersAndAwaitersAllAgree) {
  constexpr std::size_t kThreads = 24;  // a third each
  struct State {
    Promise<int> promise;
    std::atomic<int> transitions{0};
    std::array<std::optional<Result<int>>, kThreads> results;
  };
  workbook::stress_on(
      kThreads, workbook::rounds(30), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t thread) {
        const int number = static_cast<int>(thread);
        if (number % 3 == 0) {
          if (state->promise.resolve(number)) ++state->transitions;
        } else if (number % 3 == 1) {
          if (state->promise.reject(Error{Errc::unavailable, ""})) ++state->transitions;
        }
        state->results[thread] = state->promise.await(kForever);
      },
      [](auto& state) {
        EXPECT_EQ(state->transitions, 1) << "settled more than once, or nobody was told";
        for (std::size_t i = 1; i < kThreads; ++i) {
          EXPECT_EQ(said(*state->results[i]), said(*state->results[0]))
              << "thread " << i << " and thread 0 awaited the same promise";
        }
      });
}

TEST(Stress, SettledIsTrueForEverybodyWhoAsksAfterwards) {
  struct State {
    Promise<int> promise;
    bool resolved = promise.resolve(7);
  };
  workbook::stress_on(
      4, workbook::rounds(200), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t thread) {
        if (thread == 0) EXPECT_FALSE(state->promise.resolve(8));
        EXPECT_TRUE(state->promise.settled()) << "it was settled before anybody asked";
      },
      [](auto&) {});
}

TEST(Stress, EveryAwaiterWakesUp) {
  struct State {
    Promise<int> promise;
    std::atomic<int> seven{0};
  };
  const std::size_t threads = workbook::crowd(200);
  workbook::stress_on(
      threads, workbook::rounds(2), [] { return std::make_unique<State>(); },
      [&](auto& state, std::size_t thread) {
        if (thread == threads / 2) state->promise.resolve(7);
        const auto result = state->promise.await(kForever);
        if (result && *result == 7) ++state->seven;
      },
      [&](auto& state) {
        EXPECT_EQ(static_cast<std::size_t>(state->seven), threads)
            << "this many of " << threads << " awaiters got the value";
      });
}

TEST(Stress, TheAwaiterMayDestroyThePromiseAtOnce) {
  struct State {
    Promise<int>* promise = new Promise<int>;
  };
  workbook::stress_on(
      2, workbook::rounds(400), [] { return State{}; },
      [](State& state, std::size_t thread) {
        if (thread == 0) {
          state.promise->resolve(7);
        } else {
          EXPECT_EQ(said(state.promise->await(kForever)), "the value 7");
          delete state.promise;  // resolve() has delivered; it need not have returned
        }
      },
      [](State&) {});
}

TEST(Stress, AResultIsNotLostToACancellationThatComesAfterIt) {
  struct State {
    Promise<int> promise;
    futures::CancelSource source = with_cancel(kForever);
    std::optional<Result<int>> result;
  };
  workbook::stress_on(
      2, workbook::rounds(400), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t thread) {
        if (thread == 0) {
          state->promise.resolve(7);
          state->source.cancel();
        } else {
          state->result = state->promise.await(state->source.context());
        }
      },
      [](auto& state) {
        EXPECT_EQ(said(*state->result), "the value 7")
            << "resolve had returned before the context was cancelled: whoever can see the "
               "cancellation must look for the result once more";
      });
}

TEST(Stress, ACancellationReachesAwaitersThatAreJustGoingToSleep) {
  struct State {
    Promise<int> promise;
    futures::CancelSource source = with_cancel(kForever);
  };
  workbook::stress_on(
      3, workbook::rounds(200), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t thread) {
        if (thread == 0) {
          state->source.cancel();
        } else {
          const auto result = state->promise.await(state->source.context());
          EXPECT_FALSE(result) << "nobody settled the promise";
        }
      },
      [](auto&) {});
}

// Lifecycle --------------------------------------------------------------------------------------

TEST(Lifecycle, AwaitersOfAPromiseThatNeverSettlesLeaveWithTheirContext) {
  const Promise<int> promise;
  ASSERT_FALSE(promise.settled());
  auto source = with_cancel(kForever);
  std::atomic<int> gave_up{0};
  {
    std::vector<std::jthread> awaiters;
    for (int i = 0; i < 8; ++i) {
      awaiters.emplace_back([&] {
        const auto result = promise.await(source.context());
        if (!result && result.error().code == Errc::cancelled) ++gave_up;
      });
    }
    source.cancel();
  }
  EXPECT_EQ(gave_up, 8);
}

TEST(Lifecycle, AnAwaiterThatLeavesDisturbsNoOther) {
  Promise<int> promise;
  ASSERT_FALSE(promise.settled());
  auto impatient = with_cancel(kForever);
  std::optional<Result<int>> left;
  std::optional<Result<int>> stayed;
  std::jthread patient([&] { stayed = promise.await(kForever); });
  std::jthread leaver([&] { left = promise.await(impatient.context()); });
  impatient.cancel();
  leaver.join();
  EXPECT_FALSE(*left);
  EXPECT_TRUE(promise.resolve(7)) << "one awaiter's cancellation settled the promise for all";
  patient.join();
  EXPECT_EQ(said(*stayed), "the value 7");
}

TEST(Lifecycle, ValuesAreDestroyedWithThePromise) {
  const int before = workbook::Tracked::live();
  {
    Promise<workbook::Tracked> promise;
    promise.resolve(workbook::Tracked{});
    promise.resolve(workbook::Tracked{});  // too late, but its value must not be kept for ever
    EXPECT_TRUE(promise.await(kForever));
    EXPECT_GT(workbook::Tracked::live(), before) << "the promise must keep the value for others";
  }
  EXPECT_EQ(workbook::Tracked::live(), before) << "values outlived the promise";
}

TEST(Lifecycle, ValuesThatComeTooLateAreDropped) {
  constexpr int late = 1000;
  const int before = workbook::Tracked::live();
  Promise<workbook::Tracked> promise;
  promise.resolve(workbook::Tracked{});
  for (int i = 0; i < late; ++i) EXPECT_FALSE(promise.resolve(workbook::Tracked{}));
  EXPECT_LT(workbook::Tracked::live() - before, late / 10)
      << "the promise was settled long ago; what do these values wait for?";
}

TEST(Lifecycle, ErrorsThatComeTooLateAreDropped) {
  constexpr int late = 1000;
  Promise<int> promise;
  promise.reject({Errc::unavailable, "the first"});
  const auto before = workbook::heap_in_use();
  for (int i = 0; i < late; ++i) {
    EXPECT_FALSE(promise.reject({Errc::unavailable, std::string(1000, 'x')}));
  }
  const auto kept = workbook::heap_in_use() - before;
  EXPECT_LT(kept, late * 100) << "a thousand errors of a thousand characters came too late, and "
                              << kept << " bytes of them stayed";
}

TEST(Lifecycle, AValueThatComesTooLateMayUseThePromiseWhenItIsDestroyed) {
  Promise<workbook::LastWords> promise;
  promise.resolve(workbook::LastWords());
  int answers = 0;
  EXPECT_FALSE(promise.resolve(workbook::LastWords([&] {
    if (promise.settled()) ++answers;
  })));
  EXPECT_GE(answers, 1) << "a value that came too late was not destroyed when resolve() returned";
}

TEST(Lifecycle, AContextMayEndLongAfterThePromiseIsGone) {
  auto source = with_cancel(kForever);
  auto promise = std::make_unique<Promise<int>>();
  ASSERT_FALSE(promise->settled());
  std::jthread resolver([&p = *promise] { p.resolve(7); });
  EXPECT_EQ(said(promise->await(source.context())), "the value 7");
  resolver.join();
  promise.reset();
  source.cancel();  // nothing of the await may still be listening
}

TEST(Lifecycle, AnAwaitThatGaveUpLeavesNothingBehind) {
  auto promise = std::make_unique<Promise<int>>();
  ASSERT_FALSE(promise->settled());
  auto source = with_cancel(kForever);
  std::jthread canceller([&] { source.cancel(); });
  EXPECT_FALSE(promise->await(source.context()));
  canceller.join();
  EXPECT_TRUE(promise->resolve(7)) << "the awaiter has left; the promise must not notice";
  promise.reset();
}

TEST(Lifecycle, AReasonIsNotForgottenWhenTheDeadlinePassesToo) {
  const Error why{Errc::closed, "the shop is closed"};
  const Promise<int> promise;
  const auto result = promise.await(workbook::ended_before_its_deadline(why));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), why) << "a context ends once, and for one reason";
}

TEST(Lifecycle, EverybodyGetsTheWholeError) {
  const Error full{Errc::unavailable, "the disk is full"};
  Promise<int> promise;
  promise.reject(full);
  for (int asked = 1; asked <= 3; ++asked) {
    const auto result = promise.await(kForever);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error(), full) << "asked for the " << asked << ". time";
  }
}

TEST(Lifecycle, ACopyThatThrowsHarmsNobodyElse) {
  Promise<Brittle> promise;
  promise.resolve(Brittle{});
  Brittle::armed = true;
  try {
    EXPECT_FALSE(promise.await(kForever)) << "copying the value threw; there is nothing to return";
  } catch (const std::runtime_error&) {
    // Just as good.
  }
  Brittle::armed = false;
  EXPECT_FALSE(promise.resolve(Brittle{}));
  EXPECT_TRUE(promise.await(kForever)) << "the result must still be there for the next awaiter";
}

#endif

// Explored: small, for all schedules --------------------------------------------------------------

TEST(Explored, OfTwoResolversOneWinsAndItsValueStands) {
  Promise<int> promise;
  ASSERT_FALSE(promise.settled());
  bool first = false;
  bool second = false;
  std::jthread other([&] { first = promise.resolve(1); });
  second = promise.resolve(2);
  other.join();
  ASSERT_NE(first, second) << (first ? "both were told that they settled the promise"
                                     : "neither was told that it settled the promise");
  EXPECT_EQ(said(promise.await(kForever)), first ? "the value 1" : "the value 2");
}

TEST(Explored, AnAwaiterWhoseCopyThrowsKeepsNobodyWaiting) {
  Promise<Brittle> promise;
  ASSERT_FALSE(promise.settled());
  const auto await = [&](bool brittle) {
    Brittle::armed = brittle;
    try {
      EXPECT_TRUE(promise.await(kForever) || brittle);
    } catch (const std::runtime_error&) {
      EXPECT_TRUE(brittle);
    }
  };
  const std::jthread one(await, true);
  const std::jthread two(await, false);
  promise.resolve(Brittle{});
}

TEST(Explored, WhatIsSecondInARaceIsDroppedToo) {
  const auto kept_after = [](int resolvers) {
    const int before = workbook::Tracked::live();
    Promise<workbook::Tracked> promise;
    std::vector<std::jthread> others;
    for (int i = 1; i < resolvers; ++i) {
      others.emplace_back([&] { promise.resolve(workbook::Tracked{}); });
    }
    promise.resolve(workbook::Tracked{});
    others.clear();
    return workbook::Tracked::live() - before;
  };
  const int of_one = kept_after(1);
  EXPECT_GE(of_one, 1) << "the promise must keep its value";
  EXPECT_EQ(kept_after(2), of_one) << "the calls that came second have returned; what does the "
                                      "value that one of them brought wait for?";
}

TEST(Explored, ResolveRacesReject) {
  Promise<int> promise;
  ASSERT_FALSE(promise.settled());
  bool rejected = false;
  std::jthread other([&] { rejected = promise.reject(Error{Errc::unavailable, ""}); });
  const bool resolved = promise.resolve(2);
  other.join();
  ASSERT_NE(resolved, rejected);
  EXPECT_EQ(promise.await(kForever).has_value(), resolved)
      << "the result is not the one of the call that won";
}

TEST(Explored, AnAwaiterNeverMissesTheResult) {
  Promise<int> promise;
  ASSERT_FALSE(promise.settled());
  std::jthread resolver([&] { promise.resolve(7); });
  EXPECT_EQ(said(promise.await(kForever)), "the value 7");
}

TEST(Explored, TwoAwaitersBothGetTheResult) {
  Promise<int> promise;
  ASSERT_FALSE(promise.settled());
  std::jthread other([&] { EXPECT_EQ(said(promise.await(kForever)), "the value 7"); });
  std::jthread resolver([&] { promise.resolve(7); });
  EXPECT_EQ(said(promise.await(kForever)), "the value 7");
}

TEST(Explored, AnAwaiterWhoseContextEndsKeepsNobodyWaiting) {
  Promise<int> promise;
  ASSERT_FALSE(promise.settled());
  auto source = with_cancel(kForever);
  const std::jthread hurried([&] { (void)promise.await(source.context()); });
  const std::jthread patient([&] { EXPECT_EQ(said(promise.await(kForever)), "the value 7"); });
  (void)workbook::let_all_wait();
  promise.resolve(7);
  source.cancel();
}

TEST(Explored, TheAwaiterMayDestroyThePromise) {
  auto promise = std::make_unique<Promise<int>>();
  ASSERT_FALSE(promise->settled());
  std::jthread resolver([p = promise.get()] { p->resolve(7); });
  EXPECT_TRUE(promise->await(kForever));
  promise.reset();
}

TEST(Explored, AResultThatCameBeforeTheCancellationWins) {
  Promise<int> promise;
  ASSERT_FALSE(promise.settled());
  auto source = with_cancel(kForever);
  std::jthread resolver([&] {
    promise.resolve(7);
    source.cancel();
  });
  EXPECT_EQ(said(promise.await(source.context())), "the value 7")
      << "resolve had returned before the context was cancelled";
}

TEST(Explored, ACancellationIsNeverMissed) {
  const Promise<int> promise;
  ASSERT_FALSE(promise.settled());
  auto source = with_cancel(kForever);
  std::jthread canceller([&] { source.cancel(); });
  const auto result = promise.await(source.context());
  ASSERT_FALSE(result) << "nobody settled the promise, and yet await returned " << said(result);
  EXPECT_EQ(result.error().code, Errc::cancelled);
}

TEST(Explored, ResolveAndCancelAtTheSameTimeGiveOneOrTheOther) {
  Promise<int> promise;
  ASSERT_FALSE(promise.settled());
  auto source = with_cancel(kForever);
  std::jthread resolver([&] { promise.resolve(7); });
  std::jthread canceller([&] { source.cancel(); });
  const auto result = promise.await(source.context());
  if (result) {
    EXPECT_EQ(*result, 7);
  } else {
    EXPECT_EQ(result.error().code, Errc::cancelled);
  }
}

TEST(Explored, AnAwaiterThatHasLeftIsLeftAlone) {
  Promise<int> promise;
  ASSERT_FALSE(promise.settled());
  auto source = with_cancel(kForever);
  std::jthread resolver([&] { promise.resolve(7); });
  std::jthread canceller([&] { source.cancel(); });
  (void)promise.await(source.context());
  EXPECT_TRUE(workbook::stack_is_left_alone([&] {
    resolver.join();
    canceller.join();
  })) << "await has returned, and somebody still wrote to what it had on its stack";
}

TEST(Explored, SettledStaysTrueWhateverOthersDo) {
  Promise<int> promise;
  ASSERT_TRUE(promise.resolve(7));
  std::jthread other([&] { EXPECT_TRUE(promise.settled()) << "resolve had returned before"; });
  EXPECT_TRUE(promise.settled()) << "resolve has returned; that somebody else is looking at the "
                                    "promise, too, does not change that";
}

TEST(Explored, AResultIsThereForManyAtOnce) {
  Promise<int> promise;
  ASSERT_TRUE(promise.resolve(7));
  const auto ended = cancelled_context();
  const auto await = [&] {
    EXPECT_EQ(said(promise.await(ended)), "the value 7")
        << "resolve had returned before; that somebody else is being served makes it no less so";
  };
  await();  // on this thread first: what is not implemented yet is thrown
  const std::jthread other(await);
  await();
}

TEST(Explored, OnceSettledIsTrueTheResultIsThere) {
  Promise<int> promise;
  ASSERT_FALSE(promise.settled());
  const auto ended = cancelled_context();
  std::jthread resolver([&] { promise.resolve(7); });
  if (promise.settled()) {
    EXPECT_EQ(said(promise.await(ended)), "the value 7")
        << "settled() said that there is a result, and then await could not find it";
  }
}

// Whoever looks at the clock may see the deadline pass before the context has been told.
TEST(Explored, ADeadlineThatPassesIsToldAsSuch) {
  const Promise<int> promise;
  ASSERT_FALSE(promise.settled());
  const auto source = with_timeout(kForever, std::chrono::milliseconds(10));
  const auto result = promise.await(source.context());
  ASSERT_FALSE(result) << "nobody settled the promise, and yet await returned " << said(result);
  EXPECT_EQ(result.error().code, Errc::deadline_exceeded);
}

}  // namespace promise_suite
