// Task 4: awaiters that leave, values that come too late, and what is left of them.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "promise.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "suite_support.hpp"
#include "testing/kit.hpp"

namespace promise_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them

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

}  // namespace promise_suite
