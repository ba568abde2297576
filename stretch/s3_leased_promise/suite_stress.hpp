// Many at once: threads on one store, and a small siege. measure.cpp has a large one.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>

#include "suite_siege.hpp"
#include "suite_support.hpp"

namespace leased_suite {
namespace {

TEST(Stress, ManyThreadsOnOneStoreSettleEachPromiseOnce) {
  struct State {
    World world;
    LeaseStore store{world.connection(), never};
    std::atomic<int> settled{0};
    State() {
      std::vector<std::string> ids;
      for (int i = 0; i < 24; ++i) ids.push_back(std::to_string(i));
      set_up(store, ids);
    }
  };
  workbook::stress_on(
      6, workbook::rounds(4), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t thread) {
        const auto limit = with_timeout(forever, patience());
        if (thread < 2) {  // they wait for those that are settled last
          for (int i = 23; i >= 0; i -= 5) {
            EXPECT_EQ(told(state->store.await(limit.context(), std::to_string(i))),
                      "the value \"of " + std::to_string(i) + '"');
          }
          return;
        }
        while (true) {
          const auto lease = state->store.claim(limit.context(), "worker", never);
          ASSERT_TRUE(lease) << told(lease);
          if (!*lease) return;
          EXPECT_EQ(told(state->store.heartbeat(limit.context(), **lease, never)), "success");
          EXPECT_EQ(told(state->store.settle(limit.context(), **lease, "of " + (*lease)->id)),
                    "success");
          ++state->settled;
        }
      },
      [](auto& state) { EXPECT_EQ(state->settled, 24) << "of 24 promises"; });
}

TEST(Stress, WorkersThatAreKilledAndZombiesThatWakeUpDoNoHarm) {
  constexpr bool quick = workbook::flavour() == workbook::Flavour::plain;
  Siege siege({.promises = quick ? 80 : 40,
               .workers = 4,
               .awaiters = 1,
               .ttl = quick ? 200ms : 500ms,
               .most_work = 40ms,
               .kill_every = quick ? 100ms : 500ms},
              workbook::report::seed);
  EXPECT_TRUE(siege.run(patience() * 2)) << "settled: " << siege.report().settled;
  siege.check();
}

}  // namespace
}  // namespace leased_suite
