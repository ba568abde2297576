// Task 8: callers who leave, newcomers, forgetting, and loaders that go away.
#pragma once

#include <array>
#include <atomic>
#include <list>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "suite_support.hpp"

namespace user_loader_suite {

// A loader in front of a slow backend, and its callers. At the end, and also when a test has failed
// midway, the loads are let go first, then the callers come back, then the loader is destroyed.
class Scene {
 public:
  Scene() = default;
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;
  ~Scene() { backend.let_go(); }

  // Somebody who calls get() from now on.
  Caller& caller(const std::string& id, const Context& context = forever) {
    return callers_.emplace_back(loader, id, context);
  }

  Stillness stillness;
  SlowBackend backend;
  UserLoader loader{backend.load()};

 private:
  std::list<Caller> callers_;
};

// Callers who leave -------------------------------------------------------------------------------

TEST(Lifecycle, TheCallerWhoStartedTheLoadMayLeaveAndTheOthersGetTheUser) {
  Scene scene;
  Caller& starter = scene.caller("ada");
  Call& load = scene.backend.call(1);
  Caller& joiner = scene.caller("ada");
  scene.stillness.wait();
  starter.cancel();
  EXPECT_EQ(starter.outcome(), "error cancelled")
      << "its context ended and the load was still running: it leaves, also when it was the one "
         "who started the load";
  EXPECT_FALSE(load.context.done()) << "one caller is still waiting for this load";
  EXPECT_FALSE(joiner.is_back());
  Caller& newcomer = scene.caller("ada");
  scene.stillness.wait();
  load.may_end.open();
  EXPECT_EQ(joiner.outcome(), load_1) << "another caller's impatience became this caller's result";
  EXPECT_EQ(newcomer.outcome(), load_1) << "the load was still under way and wanted";
  EXPECT_EQ(scene.backend.calls(), 1u);
}

TEST(Lifecycle, ACallerWhoJoinedMayLeaveAndTheOthersGetTheUser) {
  Scene scene;
  Caller& starter = scene.caller("ada");
  Call& load = scene.backend.call(1);
  const auto source = with_timeout(forever, 2ms);
  EXPECT_EQ(got(scene.loader.get(source.context(), "ada")), "error deadline exceeded")
      << "every caller obeys its own deadline, also one who joined";
  EXPECT_FALSE(load.context.done()) << "one caller is still waiting for this load";
  Caller& newcomer = scene.caller("ada");
  scene.stillness.wait();
  load.may_end.open();
  EXPECT_EQ(starter.outcome(), load_1);
  EXPECT_EQ(newcomer.outcome(), load_1) << "the load was still under way and wanted";
  EXPECT_EQ(scene.backend.calls(), 1u);
}

TEST(Lifecycle, ADeadlineEndsTheWaitOfTheCallerWhoStartedTheLoad) {
  Scene scene;
  const auto source = with_timeout(forever, 20ms);
  EXPECT_EQ(got(scene.loader.get(source.context(), "ada")), "error deadline exceeded");
}

TEST(Lifecycle, TheLoadIsCancelledWhenTheLastCallerHasLeftAndNotBefore) {
  const std::array<std::array<int, 3>, 6> orders{
      {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}};
  for (const auto& order : orders) {
    Scene scene;
    std::array<Caller*, 3> callers{&scene.caller("ada")};
    Call& load = scene.backend.call(1);
    callers[1] = &scene.caller("ada");
    callers[2] = &scene.caller("ada");
    for (int i = 0; i < 3; ++i) {
      scene.stillness.wait();
      EXPECT_FALSE(load.context.done())
          << "cancelled after " << i << " of 3 callers had left; caller number " << order[0]
          << " (of 0, the starter, 1 and 2) left first";
      auto& leaver = *callers[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])];
      leaver.cancel();
      EXPECT_EQ(leaver.outcome(), "error cancelled");
    }
    EXPECT_TRUE(workbook::eventually([&] { return load.context.done(); }))
        << "everybody has left, and nobody has told the load to stop";
    EXPECT_EQ(scene.backend.calls(), 1u);
  }
}

TEST(Lifecycle, ALoadThatStopsWhenToldDoesNotHoldUpTheThreads) {
  Stillness stillness;
  UserLoader loader([](const Context& context, const std::string&) { return until_told(context); });
  Caller one(loader, "ada");
  Caller two(loader, "ada");
  stillness.wait();
  one.cancel();
  EXPECT_EQ(one.outcome(), "error cancelled");
  two.cancel();
  EXPECT_EQ(two.outcome(), "error cancelled");
}

// The load stops at once when it is told to, with an error of its own; the caller's is another one.
TEST(Lifecycle, TheLastCallerGetsTheErrorOfItsOwnContext) {
  UserLoader loader([](const Context& context, const std::string&) -> Result<User> {
    EXPECT_FALSE(context.sleep_for(workbook::patience)) << "nobody told this load to stop";
    return std::unexpected(Error{Errc::service_error, "the query was interrupted"});
  });
  const auto source = with_timeout(forever, 5ms);
  EXPECT_EQ(got(loader.get(source.context(), "ada")), "error deadline exceeded");
}

TEST(Lifecycle, ACallerWhoseContextHasEndedDoesNotDisturbTheOthers) {
  Scene scene;
  Caller& patient = scene.caller("ada");
  Call& load = scene.backend.call(1);
  scene.stillness.wait();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(got(scene.loader.get(ended(), "ada")), "error cancelled")
        << "there is no user yet, and this caller's context has ended";
  }
  const auto late = with_timeout(forever, -1s);
  ASSERT_TRUE(workbook::eventually([&] { return late.context().done(); }));
  EXPECT_EQ(got(scene.loader.get(late.context(), "ada")), "error deadline exceeded");
  EXPECT_FALSE(load.context.done())
      << "one caller is still waiting; those who came with a context that had ended were counted "
         "out, but were they counted in?";
  load.may_end.open();
  EXPECT_EQ(patient.outcome(), load_1);
  EXPECT_EQ(scene.backend.calls(), 1u);
}

TEST(Lifecycle, ACallerWhoseContextHasEndedLeavesNothingForTheNext) {
  Scene scene;
  EXPECT_EQ(got(scene.loader.get(ended(), "ada")), "error cancelled");
  scene.stillness.wait();
  // Whether it has started a load or not: nobody waits for that one.
  const std::size_t before = scene.backend.calls();
  for (std::size_t n = 1; n <= before; ++n) {
    EXPECT_TRUE(workbook::eventually([&] { return scene.backend.call(n).context.done(); }))
        << "a load was started for a caller whose context had ended, and goes on";
  }
  Caller& next = scene.caller("ada");
  Call& load = scene.backend.call(before + 1);
  EXPECT_FALSE(load.context.done());
  load.may_end.open();
  EXPECT_EQ(next.outcome(), "value \"load " + std::to_string(before + 1) + " of ada\"");
}

TEST(Lifecycle, TheLoadKnowsNoCallersDeadline) {
  Scene scene;
  const auto hour = with_timeout(forever, 1h);
  Caller& starter = scene.caller("ada", hour.context());
  Call& load = scene.backend.call(1);
  EXPECT_FALSE(load.context.deadline().has_value())
      << "the load works for everybody who joins; the deadline is that of the first caller alone";
  load.may_end.open();
  EXPECT_EQ(starter.outcome(), load_1);
}

TEST(Lifecycle, ACallerWithADeadlineHearsACancellation) {
  Scene scene;
  const auto source = with_timeout(forever, 1h);
  Caller& caller = scene.caller("ada", source.context());
  static_cast<void>(scene.backend.call(1));
  caller.cancel();
  EXPECT_EQ(caller.outcome(), "error cancelled") << "the deadline is an hour away";
}

TEST(Lifecycle, WhoeverLeavesIsToldWhy) {
  const Error why{Errc::closed, "the shop is closed"};
  Scene scene;
  auto source = with_cancel(forever);
  Caller& caller = scene.caller("ada", source.context());
  static_cast<void>(scene.backend.call(1));
  source.cancel(why);
  const auto& result = caller.result();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), why) << "whoever cancelled has said why";
}

TEST(Lifecycle, AllWhoShareALoadGetTheWholeError) {
  const Error down{Errc::unavailable, "the backend is down"};
  const Stillness stillness;
  workbook::Gate may_end;
  UserLoader loader([&](const Context&, const std::string&) -> Result<User> {
    may_end.wait();
    return std::unexpected(down);
  });
  std::list<Caller> callers;
  for (int i = 0; i < 4; ++i) callers.emplace_back(loader, "ada");
  stillness.wait();
  may_end.open();
  for (auto& caller : callers) {
    const auto& result = caller.result();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error(), down) << "one caller was told less than another";
  }
}

TEST(Lifecycle, TheDeadlineOfTheFirstCallerEndsOnlyItsOwnWait) {
  Scene scene;
  auto hour = with_timeout(forever, 1h);
  Caller& starter = scene.caller("ada", hour.context());
  Call& load = scene.backend.call(1);
  Caller& joiner = scene.caller("ada");
  scene.stillness.wait();
  hour.cancel(Error{Errc::deadline_exceeded, "the hour is over"});
  EXPECT_EQ(starter.outcome(), "error deadline exceeded");
  EXPECT_FALSE(load.context.done()) << "a caller with all the time in the world is still waiting";
  load.may_end.open();
  EXPECT_EQ(joiner.outcome(), load_1);
}

// Newcomers ---------------------------------------------------------------------------------------

TEST(Lifecycle, ANewcomerGetsANewLoadWhileTheCancelledOneIsStillRunning) {
  Scene scene;
  Caller& first = scene.caller("ada");
  Call& cancelled = scene.backend.call(1);
  first.cancel();
  EXPECT_EQ(first.outcome(), "error cancelled");
  EXPECT_TRUE(workbook::eventually([&] { return cancelled.context.done(); }));

  Caller& newcomer = scene.caller("ada");
  Call& fresh = scene.backend.call(2);
  EXPECT_FALSE(fresh.context.done()) << "the new load has a caller";
  fresh.may_end.open();
  EXPECT_EQ(newcomer.outcome(), load_2)
      << "the first load was cancelled before this caller came, and is still winding down";
  EXPECT_FALSE(cancelled.ended.is_open());
}

TEST(Lifecycle, TheEndOfACancelledLoadDoesNotTouchTheNewOne) {
  Scene scene;
  Caller& first = scene.caller("ada");
  Call& cancelled = scene.backend.call(1);
  first.cancel();
  EXPECT_EQ(first.outcome(), "error cancelled");
  Caller& newcomer = scene.caller("ada");
  Call& fresh = scene.backend.call(2);
  cancelled.may_end.open();
  cancelled.ended.wait();
  scene.stillness.wait();
  EXPECT_FALSE(newcomer.is_back()) << "it waits for load 2; only load 1 has ended";

  Caller& joiner = scene.caller("ada");
  scene.stillness.wait();
  EXPECT_EQ(scene.backend.calls(), 2u)
      << "load 2 is under way, and a caller did not join it: did the end of load 1 take the entry "
         "of load 2 out of the table?";
  fresh.may_end.open();
  EXPECT_EQ(newcomer.outcome(), load_2);
  EXPECT_EQ(joiner.outcome(), load_2);
}

TEST(Lifecycle, LoadsMayBeCancelledOneAfterTheOther) {
  Scene scene;
  for (std::size_t n = 1; n <= 3; ++n) {
    Caller& caller = scene.caller("ada");
    Call& load = scene.backend.call(n);
    caller.cancel();
    EXPECT_EQ(caller.outcome(), "error cancelled");
    EXPECT_TRUE(workbook::eventually([&] { return load.context.done(); }))
        << "load " << n << " has no callers, and nobody told it to stop";
  }
  Caller& last = scene.caller("ada");
  Call& load = scene.backend.call(4);
  for (const std::size_t n : {2u, 1u, 3u}) {
    scene.backend.call(n).may_end.open();
    scene.backend.call(n).ended.wait();
  }
  scene.stillness.wait();
  EXPECT_FALSE(load.context.done());
  EXPECT_FALSE(last.is_back());
  load.may_end.open();
  EXPECT_EQ(last.outcome(), "value \"load 4 of ada\"");
}

// Forgetting --------------------------------------------------------------------------------------

TEST(Lifecycle, WhoeverComesAfterForgetGetsANewLoad) {
  Scene scene;
  Caller& before = scene.caller("ada");
  Call& old = scene.backend.call(1);
  scene.loader.forget("ada");
  Caller& after = scene.caller("ada");
  Call& fresh = scene.backend.call(2);  // although load 1 is still running
  EXPECT_FALSE(old.context.done()) << "a caller is still waiting for the forgotten load";
  fresh.may_end.open();
  EXPECT_EQ(after.outcome(), load_2);
  EXPECT_FALSE(before.is_back()) << "it joined load 1, which has not ended";
  old.may_end.open();
  EXPECT_EQ(before.outcome(), load_1) << "who shared the load already keeps it";
}

TEST(Lifecycle, TheEndOfAForgottenLoadDoesNotTouchTheNewOne) {
  Scene scene;
  Caller& before = scene.caller("ada");
  Call& old = scene.backend.call(1);
  scene.loader.forget("ada");
  Caller& after = scene.caller("ada");
  Call& fresh = scene.backend.call(2);
  old.may_end.open();
  EXPECT_EQ(before.outcome(), load_1);
  scene.stillness.wait();
  EXPECT_FALSE(after.is_back()) << "it waits for load 2; only load 1 has ended";

  Caller& joiner = scene.caller("ada");
  scene.stillness.wait();
  EXPECT_EQ(scene.backend.calls(), 2u)
      << "load 2 is under way, and a caller did not join it: did the end of load 1 take the entry "
         "of load 2 out of the table?";
  fresh.may_end.open();
  EXPECT_EQ(after.outcome(), load_2);
  EXPECT_EQ(joiner.outcome(), load_2);
}

TEST(Lifecycle, WhoLeavesAForgottenLoadDoesNotTouchTheNewOne) {
  Scene scene;
  Caller& before = scene.caller("ada");
  Call& old = scene.backend.call(1);
  scene.loader.forget("ada");
  Caller& after = scene.caller("ada");
  Call& fresh = scene.backend.call(2);
  scene.stillness.wait();
  before.cancel();
  EXPECT_EQ(before.outcome(), "error cancelled");
  EXPECT_TRUE(workbook::eventually([&] { return old.context.done(); }))
      << "the last caller of the forgotten load has left, and nobody told the load to stop";
  EXPECT_FALSE(fresh.context.done()) << "the new load was cancelled in place of the forgotten one";

  Caller& joiner = scene.caller("ada");
  scene.stillness.wait();
  EXPECT_EQ(scene.backend.calls(), 2u)
      << "load 2 is under way, and a caller did not join it: did the one who left load 1 take the "
         "entry of load 2 out of the table?";
  fresh.may_end.open();
  EXPECT_EQ(after.outcome(), load_2);
  EXPECT_EQ(joiner.outcome(), load_2);
}

TEST(Lifecycle, WhoSharesAForgottenLoadStillGetsItsOutcome) {
  Scene scene;
  Caller& one = scene.caller("ada");
  Call& load = scene.backend.call(1);
  Caller& two = scene.caller("ada");
  scene.stillness.wait();
  scene.loader.forget("ada");
  one.cancel();
  EXPECT_EQ(one.outcome(), "error cancelled");
  EXPECT_FALSE(load.context.done()) << "one caller is still waiting for the forgotten load";
  load.may_end.open();
  EXPECT_EQ(two.outcome(), load_1);
}

TEST(Lifecycle, ForgettingTwiceMakesThreeLoads) {
  Scene scene;
  Caller& one = scene.caller("ada");
  Call& first = scene.backend.call(1);
  scene.loader.forget("ada");
  Caller& two = scene.caller("ada");
  Call& second = scene.backend.call(2);
  scene.loader.forget("ada");
  Caller& three = scene.caller("ada");
  Call& third = scene.backend.call(3);
  for (const auto* load : {&first, &second, &third}) {
    EXPECT_FALSE(load->context.done()) << "a caller is waiting for it, forgotten or not";
  }
  second.may_end.open();
  EXPECT_EQ(two.outcome(), load_2);
  first.may_end.open();
  EXPECT_EQ(one.outcome(), load_1);
  Caller& four = scene.caller("ada");
  scene.stillness.wait();
  EXPECT_EQ(scene.backend.calls(), 3u) << "load 3 is under way, and a caller did not join it";
  EXPECT_FALSE(third.context.done());
  third.may_end.open();
  EXPECT_EQ(three.outcome(), load_3);
  EXPECT_EQ(four.outcome(), load_3);
}

TEST(Lifecycle, ForgettingOneUserForgetsNoOther) {
  Scene scene;
  Caller& ada = scene.caller("ada");
  Call& load = scene.backend.call(1);
  scene.loader.forget("bob");
  scene.loader.forget("");
  Caller& joiner = scene.caller("ada");
  scene.stillness.wait();
  EXPECT_EQ(scene.backend.calls(), 1u) << "nobody has forgotten this user's load";
  load.may_end.open();
  EXPECT_EQ(ada.outcome(), load_1);
  EXPECT_EQ(joiner.outcome(), load_1);
}

TEST(Lifecycle, WhoeverComesAfterForgetDoesNotJoinTheLoadAfterACancelledOne) {
  Scene scene;
  Caller& first = scene.caller("ada");
  static_cast<void>(scene.backend.call(1));
  first.cancel();
  EXPECT_EQ(first.outcome(), "error cancelled");
  Caller& second = scene.caller("ada");
  static_cast<void>(scene.backend.call(2));
  scene.loader.forget("ada");
  Caller& third = scene.caller("ada");
  scene.backend.call(3).may_end.open();
  EXPECT_EQ(third.outcome(), load_3);
  scene.backend.call(2).may_end.open();
  EXPECT_EQ(second.outcome(), load_2);
}

// One loader and another, one user and another ----------------------------------------------------

TEST(Lifecycle, TwoLoadersShareNoLoad) {
  Scene one;
  Scene two;
  Caller& first = one.caller("ada");
  Call& load_of_one = one.backend.call(1);
  Caller& second = two.caller("ada");
  Call& load_of_two = two.backend.call(1);
  two.loader.forget("ada");
  Caller& third = one.caller("ada");
  one.stillness.wait();
  EXPECT_EQ(one.backend.calls(), 1u) << "another loader was told to forget";
  second.cancel();
  EXPECT_EQ(second.outcome(), "error cancelled");
  EXPECT_TRUE(workbook::eventually([&] { return load_of_two.context.done(); }));
  EXPECT_FALSE(load_of_one.context.done());
  load_of_one.may_end.open();
  EXPECT_EQ(first.outcome(), load_1);
  EXPECT_EQ(third.outcome(), load_1);
}

TEST(Lifecycle, ALoadMayAskAnotherLoaderForItsOwnId) {
  UserLoader other(
      [](const Context&, const std::string& id) -> Result<User> { return user_of_load(1, id); });
  UserLoader loader(
      [&](const Context& context, const std::string& id) { return other.get(context, id); });
  EXPECT_EQ(got(loader.get(forever, "ada")), load_1) << "two loaders share nothing";
}

TEST(Lifecycle, ASlowUserHoldsUpNoOther) {
  Scene scene;
  Caller& ada = scene.caller("ada");
  static_cast<void>(scene.backend.call(1));
  Caller& bob = scene.caller("bob");
  scene.backend.call(2).may_end.open();
  EXPECT_EQ(bob.outcome(), "value \"load 2 of bob\"") << "the load of ada has not ended yet";
  scene.loader.forget("bob");
  scene.loader.forget("ada");
  EXPECT_EQ(got(scene.loader.get(ended(), "carol")), "error cancelled");
  scene.backend.call(1).may_end.open();
  EXPECT_EQ(ada.outcome(), load_1);
}

// A load that calls back --------------------------------------------------------------------------

TEST(Lifecycle, ALoadMayAskForAnotherUser) {
  UserLoader* self = nullptr;
  UserLoader loader([&](const Context& context, const std::string& id) -> Result<User> {
    if (id != "team") return user_of_load(1, id);
    const auto lead = self->get(context, "ada");
    if (!lead) return std::unexpected(lead.error());
    return User{id, "led by " + lead->id};
  });
  self = &loader;
  EXPECT_EQ(loader.get(forever, "team"), (User{"team", "led by ada"}));
}

TEST(Lifecycle, LeavingReachesALoadThatALoadHasAskedFor) {
  workbook::Gate inner_runs;
  workbook::Gate inner_ended;
  workbook::Gate outer_ended;
  UserLoader* self = nullptr;
  UserLoader loader([&](const Context& context, const std::string& id) -> Result<User> {
    if (id == "team") {
      auto result = self->get(context, "ada");
      outer_ended.open();
      return result;
    }
    inner_runs.open();
    auto result = until_told(context);
    inner_ended.open();
    return result;
  });
  self = &loader;
  Caller caller(loader, "team");
  inner_runs.wait();
  caller.cancel();
  EXPECT_EQ(caller.outcome(), "error cancelled");
  EXPECT_TRUE(outer_ended.wait_for())
      << "the caller left the load of team, which waits for the load of ada";
  EXPECT_TRUE(inner_ended.wait_for())
      << "the load of team was the only caller of the load of ada, and has left";
}

TEST(Lifecycle, ALoadMayForgetItself) {
  std::atomic<std::size_t> loads{0};
  UserLoader* self = nullptr;
  UserLoader loader([&](const Context&, const std::string& id) -> Result<User> {
    self->forget(id);
    return user_of_load(++loads, id);
  });
  self = &loader;
  EXPECT_EQ(got(loader.get(forever, "ada")), load_1);
  EXPECT_EQ(got(loader.get(forever, "ada")), load_2);
}

TEST(Lifecycle, AStopCallbackOfALoadMayCallTheLoader) {
  workbook::Gate listening;
  workbook::Gate called;
  workbook::Gate load_ended;
  UserLoader* self = nullptr;
  UserLoader loader([&](const Context& context, const std::string& id) -> Result<User> {
    if (id == "bob") return user_of_load(1, id);
    std::optional<Result<User>> result;
    {
      const std::stop_callback on_stop(context.stop_token(), [&] {
        self->forget(id);
        EXPECT_EQ(got(self->get(forever, "bob")), "value \"load 1 of bob\"");
        called.open();
      });
      listening.open();
      result = until_told(context);
      static_cast<void>(called.wait_for());  // a callback that is taken away is never called
    }
    load_ended.open();
    return *result;
  });
  self = &loader;
  Caller caller(loader, "ada");
  listening.wait();
  caller.cancel();
  EXPECT_EQ(caller.outcome(), "error cancelled");
  EXPECT_TRUE(called.wait_for())
      << "the load was told to stop; its stop callback called the loader and has not come back. "
         "Is the context cancelled while a lock is held?";
  EXPECT_TRUE(load_ended.wait_for());
}

// What is gone before the load ends ---------------------------------------------------------------

TEST(Lifecycle, TheCallersIdMayBeGoneBeforeTheLoadEnds) {
  Scene scene;
  auto id = std::make_unique<std::string>("a user with an id that is too long for the object");
  const std::string original = *id;
  auto source = std::make_unique<CancelSource>(with_cancel(forever));
  workbook::Gate left;
  std::jthread starter([&] {
    EXPECT_EQ(got(scene.loader.get(source->context(), *id)), "error cancelled");
    left.open();
  });
  Call& load = scene.backend.call(1);
  Caller& joiner = scene.caller(original);
  scene.stillness.wait();
  source->cancel();
  left.wait();
  *id = std::string(original.size(), '?');
  id.reset();
  source.reset();
  load.may_end.open();
  EXPECT_EQ(joiner.outcome(), "value \"load 1 of " + original + "\"");
}

TEST(Lifecycle, TheLoaderMayGoAwayWhileALoadThatEverybodyLeftIsRunning) {
  const int before = workbook::Tracked::live();
  {
    const Stillness stillness;
    SlowBackend backend;
    auto loader =
        std::make_unique<UserLoader>([load = backend.load(), tracked = workbook::Tracked(7)](
                                         const Context& context, const std::string& id) {
          auto result = load(context, id);
          EXPECT_EQ(tracked.value, 7) << "what the load captured is gone, and it is still running";
          EXPECT_TRUE(context.done()) << "everybody had left";
          EXPECT_EQ(id, "ada");
          return result;
        });
    for (std::size_t n = 1; n <= 2; ++n) {
      Caller caller(*loader, "ada");
      static_cast<void>(backend.call(n));
      caller.cancel();
      EXPECT_EQ(caller.outcome(), "error cancelled");
      EXPECT_TRUE(workbook::eventually([&] { return backend.call(n).context.done(); }));
    }
    // A destructor may return at once or wait for the loads: they end after the one or during the
    // other.
    workbook::Gate destroyed;
    std::jthread opener([&] {
      static_cast<void>(destroyed.wait_for(20ms));
      backend.let_go();
    });
    loader.reset();
    destroyed.open();
    backend.call(1).ended.wait();
    backend.call(2).ended.wait();
  }
  EXPECT_TRUE(workbook::eventually([&] { return workbook::Tracked::live() == before; }))
      << "the loader is gone and all its loads have ended, but what the load function captured is "
         "still there";
}

TEST(Lifecycle, TheLoaderMayGoAwayAfterALoadWasForgottenAndLeft) {
  const int before = workbook::Tracked::live();
  {
    SlowBackend backend;
    auto loader = std::make_unique<UserLoader>(
        [load = backend.load(), tracked = workbook::Tracked(7)](
            const Context& context, const std::string& id) { return load(context, id); });
    Caller caller(*loader, "ada");
    static_cast<void>(backend.call(1));
    loader->forget("ada");
    caller.cancel();
    EXPECT_EQ(caller.outcome(), "error cancelled");
    EXPECT_TRUE(workbook::eventually([&] { return backend.call(1).context.done(); }));
    backend.let_go();
    loader.reset();
  }
  EXPECT_TRUE(workbook::eventually([&] { return workbook::Tracked::live() == before; }));
}

TEST(Lifecycle, WhatTheLoadCapturedIsDestroyedWithTheLoader) {
  const int before = workbook::Tracked::live();
  {
    UserLoader loader(
        [tracked = workbook::Tracked()](const Context&, const std::string& id) -> Result<User> {
          return user_of_load(1, id);
        });
    EXPECT_EQ(got(loader.get(forever, "ada")), load_1);
    EXPECT_EQ(got(loader.get(forever, "bob")), "value \"load 1 of bob\"");
  }
  EXPECT_TRUE(workbook::eventually([&] { return workbook::Tracked::live() == before; }))
      << "the loader is gone, and what its load function captured is not";
}

}  // namespace user_loader_suite
