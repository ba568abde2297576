// Task 5: who may hold what for how long, and what may happen inside a callback.
#pragma once

#include <stdexcept>

#include "suite_support.hpp"

namespace future_suite {

TEST(Lifecycle, ACallbackMayUseItsOwnFuture) {
  auto [future, resolver] = make_future<int>();
  std::vector<std::string> seen;
  // Everything one may want from a future. With a lock held by whoever calls this, it never ends.
  const auto use = [&seen, reader = future](const Result<int>&) {
    seen.push_back(reader.settled() ? "settled" : "not settled");
    seen.push_back(show(reader.await(forever)));
    reader.on_settled([&seen](const Result<int>& result) { seen.push_back(show(result)); });
    reader.cancel();
  };
  const std::vector<std::string> expected{"settled", "value 7", "value 7"};
  future.on_settled(use);
  resolver.resolve(7);
  EXPECT_EQ(seen, expected) << "inside a callback the future is settled, and may be used as ever";
  EXPECT_FALSE(resolver.context().done()) << "a callback cancelled a future that had just settled";
  seen.clear();
  future.on_settled(use);
  EXPECT_EQ(seen, expected) << "the same, registered after settling";
}

TEST(Lifecycle, AtOnceMeansAtOnceInsideACallbackToo) {
  auto [other, other_resolver] = make_future<int>();
  other_resolver.resolve(5);
  auto [future, resolver] = make_future<int>();
  std::string order;
  future.on_settled([&, settled = other](const Result<int>&) {
    settled.on_settled([&](const Result<int>&) { order += "inner "; });
    order += "outer";
  });
  resolver.resolve(7);
  EXPECT_EQ(order, "inner outer")
      << "a callback on a settled future runs before on_settled returns, wherever it is called";
}

TEST(Lifecycle, ACallbackMayWaitForAThreadThatUsesTheFuture) {
  auto [future, resolver] = make_future<int>();
  std::string seen;
  const auto ask_a_friend = [&seen, reader = future](const Result<int>&) {
    // A lock that is held meanwhile, even one that this thread may take again, keeps the other out.
    std::jthread([&] {
      reader.cancel();
      seen = show(reader.await(forever));
    }).join();
  };
  future.on_settled(ask_a_friend);
  resolver.resolve(7);
  EXPECT_EQ(seen, "value 7");
  seen.clear();
  future.on_settled(ask_a_friend);
  EXPECT_EQ(seen, "value 7");
}

TEST(Lifecycle, AHundredThousandCallbacksOnOneFuture) {
  constexpr int many = 100'000;
  int ran = 0;
  {
    auto [future, resolver] = make_future<int>();
    for (int i = 0; i < many; ++i) future.on_settled([&ran](const Result<int>&) { ++ran; });
    resolver.resolve(1);
    EXPECT_EQ(ran, many);
  }
  ran = 0;
  {
    auto [future, resolver] = make_future<int>();
    for (int i = 0; i < many; ++i) future.on_settled([&ran](const Result<int>&) { ++ran; });
  }  // the promise is broken
  EXPECT_EQ(ran, many);
}

TEST(Lifecycle, ACallbackMaySettleAnotherFuture) {
  auto [first, first_resolver] = make_future<int>();
  auto [second, second_resolver] = make_future<int>();
  first.on_settled(
      [&writer = second_resolver](const Result<int>& result) { writer.resolve(*result + 1); });
  second.on_settled([&again = first_resolver](const Result<int>&) {
    EXPECT_FALSE(again.resolve(99)) << "the first future was settled before its callbacks ran";
  });
  first_resolver.resolve(1);
  EXPECT_EQ(show(second.await(forever)), "value 2");
}

TEST(Lifecycle, AResolverThatHasSettledMayBeGivenAnotherFuture) {
  for (const bool settles : {false, true}) {
    auto [first, resolver] = make_future<int>();
    EXPECT_TRUE(resolver.resolve(1));
    auto [second, other] = make_future<int>();
    {
      auto mine = std::move(resolver);
      mine = std::move(other);
      EXPECT_EQ(show(first.await(forever)), "value 1");
      EXPECT_FALSE(second.settled()) << "its resolver has only moved";
      if (settles) {
        EXPECT_TRUE(mine.resolve(2));
      }
    }
    ASSERT_TRUE(second.settled()) << "a resolver settled its first future, was given a second one, "
                                     "and went away: does it take that for settled?";
    EXPECT_EQ(show(second.await(forever)), settles ? "value 2" : "error broken promise");
  }
}

TEST(Lifecycle, ACallbackMayDropTheFutureThatIsJustCancelling) {
  auto made = make_future<std::string>();
  auto last = std::make_unique<Future<std::string>>(std::move(made.first));
  auto resolver = std::make_unique<Resolver<std::string>>(std::move(made.second));
  std::string seen;
  last->on_settled([&](const Result<std::string>& result) {
    last.reset();  // the handle whose cancel() is running
    seen = show(result);
  });
  {
    const std::stop_callback on_cancel(resolver->context().stop_token(), [&] {
      resolver->reject(Error{Errc::cancelled, "as you wish"});
      resolver.reset();
    });
    last->cancel();
  }
  EXPECT_EQ(seen, "error cancelled");
}

TEST(Lifecycle, ACallbackMayDropTheLastHandleOfAPendingFuture) {
  auto both = std::make_unique<std::pair<Future<std::string>, Resolver<std::string>>>(
      make_future<std::string>());
  std::string seen;
  both->first.on_settled([&](const Result<std::string>& result) {
    both.reset();  // future and resolver; the resolver is in the middle of resolve()
    seen = show(result);
  });
  both->second.resolve("long enough to live on the heap, where it can be freed");
  EXPECT_EQ(seen, "value long enough to live on the heap, where it can be freed");
}

TEST(Lifecycle, ACallbackMayDropTheLastHandleOfASettledFuture) {
  auto last = std::make_unique<Future<std::string>>();
  {
    auto [future, resolver] = make_future<std::string>();
    resolver.resolve("long enough to live on the heap, where it can be freed");
    *last = std::move(future);
  }
  std::string seen;
  last->on_settled([&](const Result<std::string>& result) {
    last.reset();  // the handle whose on_settled() is running
    seen = show(result);
  });
  EXPECT_EQ(seen, "value long enough to live on the heap, where it can be freed");
}

TEST(Lifecycle, CapturesAreDestroyedOnceTheCallbackHasRun) {
  const int before = Tracked::live();
  auto [future, resolver] = make_future<int>();
  int calls = 0;
  future.on_settled([&calls, captured = Tracked(1)](const Result<int>&) { ++calls; });
  EXPECT_EQ(Tracked::live(), before + 1) << "the callback is waiting: its capture must be alive";
  resolver.resolve(1);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(Tracked::live(), before)
      << "future and resolver are still there, but the callback has run: nobody needs its captures";
  future.on_settled([&calls, captured = Tracked(2)](const Result<int>&) { ++calls; });
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(Tracked::live(), before) << "the callback ran at once; what still holds its captures?";
}

TEST(Lifecycle, ACaptureOfACallbackMayUseTheFutureWhenItIsDestroyed) {
  auto [future, resolver] = make_future<int>();
  int answers = 0;
  const auto ask = [&answers, &future] {
    if (future.settled()) ++answers;
  };
  future.on_settled([last = workbook::LastWords(ask)](const Result<int>&) {});
  resolver.resolve(1);
  EXPECT_EQ(answers, 1) << "the captures of a callback go once it has run";
  future.on_settled([last = workbook::LastWords(ask)](const Result<int>&) {});
  EXPECT_EQ(answers, 2) << "the captures of a callback go once it has run";
}

TEST(Lifecycle, AFutureHeldByItsOwnCallbackIsFreed) {
  const int before = Tracked::live();
  {
    auto [future, resolver] = make_future<Tracked>();
    future.on_settled([self = future](const Result<Tracked>&) {});
    resolver.resolve(Tracked(1));
  }
  EXPECT_EQ(Tracked::live(), before) << "every handle is gone, and the value is still alive: it is "
                                        "held by a callback that has run";
}

TEST(Lifecycle, AnAwaiterIsToldWhyItsContextEnded) {
  const auto [future, resolver] = make_future<int>();
  for (const Error& why : workbook::errors_of_all_kinds()) {
    const auto at_once = future.await(workbook::ended(why));
    ASSERT_FALSE(at_once);
    EXPECT_EQ(at_once.error(), why) << "whoever cancelled has said why";
  }
  const Error why{Errc::closed, "the shop is closed"};
  const auto later = future.await(workbook::ended_before_its_deadline(why));
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error(), why) << "a context ends once, and for one reason";
}

TEST(Lifecycle, EverybodyGetsTheWholeError) {
  const Error full{Errc::unavailable, "the disk is full"};
  auto [future, resolver] = make_future<int>();
  resolver.reject(full);
  for (int asked = 1; asked <= 3; ++asked) {
    const auto result = future.await(forever);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error(), full) << "asked for the " << asked << ". time";
  }
  future.on_settled([&](const Result<int>& result) {
    EXPECT_TRUE(!result && result.error() == full) << "a callback after three awaits";
  });
}

TEST(Lifecycle, MovingAResolverOverAnotherBreaksTheOldPromise) {
  if constexpr (std::is_move_assignable_v<Resolver<int>>) {
    auto [old_future, resolver] = make_future<int>();
    auto [new_future, other] = make_future<int>();
    resolver = std::move(other);
    EXPECT_TRUE(old_future.settled())
        << "the old future has lost its only resolver: whoever awaits it waits for ever";
    if (!old_future.settled()) return;
    EXPECT_EQ(show(old_future.await(forever)), "error broken promise");
    EXPECT_FALSE(new_future.settled()) << "the new future still has one";
    EXPECT_TRUE(resolver.resolve(1));
    EXPECT_EQ(show(new_future.await(forever)), "value 1");
  }
}

TEST(Lifecycle, AMovedResolverBreaksNothing) {
  auto [future, resolver] = make_future<int>();
  auto owner = std::make_unique<Resolver<int>>(std::move(resolver));
  {
    const Resolver<int> emptied = std::move(*std::exchange(owner, nullptr));
    EXPECT_FALSE(future.settled()) << "the resolver only moved house";
  }
  EXPECT_TRUE(future.settled());
}

TEST(Lifecycle, AThrowingCallbackStopsNobodyElse) {
  auto [future, resolver] = make_future<int>();
  int others = 0;
  future.on_settled([&](const Result<int>&) { ++others; });
  future.on_settled([](const Result<int>&) { throw std::runtime_error("from a callback"); });
  future.on_settled([](const Result<int>&) { throw 42; });
  future.on_settled([&](const Result<int>&) { ++others; });
  try {
    resolver.resolve(1);
  } catch (...) {  // not settled by the contract: it may come out here, or be reported
  }
  EXPECT_EQ(others, 2) << "one callback threw, and another one never got its turn";
  EXPECT_EQ(show(future.await(forever)), "value 1");
  futures::take_escaped_exceptions();
}

TEST(Lifecycle, TheProducerMaySettleWhileItIsBeingCancelled) {
  auto [future, resolver] = make_future<int>();
  int callbacks = 0;
  future.on_settled([&](const Result<int>&) { ++callbacks; });
  {
    // Runs inside cancel(). If that holds the future's lock, nobody gets any further.
    const std::stop_callback on_cancel(resolver.context().stop_token(), [&writer = resolver] {
      writer.reject(Error{Errc::cancelled, "as you wish"});
    });
    future.cancel();
  }
  EXPECT_EQ(show(future.await(forever)), "error cancelled");
  EXPECT_EQ(callbacks, 1);
}

// Another thread uses the future, and the callback waits for it: it can't, when whoever runs the
// callback holds a lock, even one that lets its own thread through.
TEST(Lifecycle, ACallbackRunsOutsideOfLocksAlsoInsideCancel) {
  auto [future, resolver] = make_future<int>();
  bool others_can_use_it = false;
  future.on_settled([&, f = future](const Result<int>&) {
    workbook::Gate used;
    const std::jthread other([&] {
      static_cast<void>(f.await(forever));
      f.cancel();
      used.open();
    });
    others_can_use_it = used.wait_for();
  });
  {
    const std::stop_callback on_cancel(resolver.context().stop_token(), [&writer = resolver] {
      writer.reject(Error{Errc::cancelled, "as you wish"});
    });
    future.cancel();
  }
  EXPECT_TRUE(others_can_use_it) << "cancel() has the producer settle, and a callback runs with a "
                                    "lock held that the future's other users need";
}

TEST(Lifecycle, AnyExceptionInGoBecomesAnError) {
  auto standard = go<int>(forever, [](const Context&) -> Result<int> {
    throw std::runtime_error("the disk is on fire");
  });
  EXPECT_EQ(show(standard.await(forever)), "error exception");
  auto anything = go<int>(forever, [](const Context&) -> Result<int> { throw 42; });
  EXPECT_EQ(show(anything.await(forever)), "error exception")
      << "an int was thrown: catch what is no std::exception, too";
}

TEST(Lifecycle, TheFunctionOfGoIsDestroyedOnceItHasRun) {
  const int before = Tracked::live();
  auto future = go<int>(
      forever, [captured = Tracked(3)](const Context&) -> Result<int> { return captured.value; });
  EXPECT_EQ(show(future.await(forever)), "value 3");
  EXPECT_TRUE(workbook::eventually([&] { return Tracked::live() == before; }))
      << "the function has run, the future is still held: who holds the function's captures?";
}

TEST(Lifecycle, TheFunctionOfGoIsDestroyedOnceItHasThrown) {
  const int before = Tracked::live();
  auto future =
      go<int>(forever, [captured = Tracked(3)](const Context&) -> Result<int> { throw 42; });
  EXPECT_EQ(show(future.await(forever)), "error exception");
  EXPECT_TRUE(workbook::eventually([&] { return Tracked::live() == before; }))
      << "the function has thrown, the future is still held: who holds the function's captures?";
}

TEST(Lifecycle, AnAbandonedProducerStillHearsItsContext) {
  auto source = with_cancel(forever);
  auto ended = std::make_shared<workbook::Gate>();
  go<int>(source.context(), [ended](const Context& context) -> Result<int> {
    context.sleep_for(workbook::patience);
    ended->open();
    return 1;
  });  // nobody keeps the future
  source.cancel();
  EXPECT_TRUE(ended->wait_for(10s)) << "nobody can stop this producer any more";
}

TEST(Lifecycle, ManyAbandonedFuturesLeaveNothing) {
  const int before = Tracked::live();
  for (std::size_t i = 0; i < workbook::rounds(200); ++i) {
    auto future =
        go<Tracked>(forever, [](const Context&) -> Result<Tracked> { return Tracked(1); });
    future.on_settled([self = future, captured = Tracked(2)](const Result<Tracked>&) {});
  }
  EXPECT_TRUE(workbook::eventually([&] { return Tracked::live() == before; }))
      << "all producers have had their time, and some of their values or callbacks are still alive";
}

}  // namespace future_suite
