// Task 10 under load: stages that settle while others are made, cancelled, dropped.
#pragma once

#include "suite_support.hpp"

namespace pipeline_suite {

TEST(Stress, StagesMadeWhileTheHeadSettlesAllGetTheValue) {
  workbook::stress_on(
      4, workbook::rounds(200), [] { return std::make_unique<Source<int>>(); },
      [](std::unique_ptr<Source<int>>& source, std::size_t thread) {
        if (thread == 0) {
          source->resolve(1);
          return;
        }
        const auto mapped = map<int>(forever, source->future, plus_one);
        const auto chained =
            then<int>(forever, mapped, [](const Context&, int value) { return ready(value + 1); });
        EXPECT_EQ(show(chained.await(forever)), "value 3");
      },
      [](std::unique_ptr<Source<int>>&) {});
}

TEST(Stress, ACancellationRacesTheValue) {
  struct Race {
    Source<int> source;
    CancelSource scope = with_cancel(forever);
    std::atomic<int> calls{0};
    std::atomic<int> told{0};
    std::vector<Future<int>> outputs;
  };
  const int before = Tracked::live();
  for (const auto& kind : kinds) {
    SCOPED_TRACE(kind.name);
    workbook::stress_on(
        3, workbook::rounds(200),
        [&kind] {
          auto race = std::make_unique<Race>();
          for (int i = 0; i < 3; ++i) {
            race->outputs.push_back(
                kind.stage(race->scope.context(), race->source.future,
                           [&calls = race->calls, captured = Tracked(1)] { ++calls; }));
            race->outputs.back().on_settled([&told = race->told](const auto&) { ++told; });
          }
          return race;
        },
        [&kind](std::unique_ptr<Race>& race, std::size_t thread) {
          if (thread == 0) {
            kind.call_for(race->source);
          } else if (thread == 1) {
            race->scope.cancel();
          } else {
            race->outputs[0].cancel();
          }
        },
        [](std::unique_ptr<Race>& race) {
          int values = 0;
          for (const auto& output : race->outputs) {
            const auto result = outcome(output);
            EXPECT_TRUE(result == "value 7" || result.starts_with("error")) << result;
            if (result == "value 7") ++values;
          }
          EXPECT_TRUE(eventually([&] { return race->told == 3; }))
              << race->told << " of 3 outputs have told their callback";
          EXPECT_GE(race->calls, values) << "an output has a value that no function made";
          EXPECT_LE(race->calls, 3) << "a function was called twice";
        });
  }
  EXPECT_TRUE(eventually([&] { return Tracked::live() == before; }))
      << Tracked::live() - before << " captures of functions are still alive";
}

TEST(Stress, ACancellationRacesTheInnerFuture) {
  struct Race {
    Source<int> head;
    Source<int> inner;
    CancelSource scope = with_cancel(forever);
    Future<int> output = then<int>(scope.context(), head.future,
                                   [this](const Context&, int) { return inner.future; });
  };
  workbook::stress_on(
      3, workbook::rounds(300), [] { return std::make_unique<Race>(); },
      [](std::unique_ptr<Race>& race, std::size_t thread) {
        if (thread == 0) race->head.resolve(1);
        if (thread == 1) race->scope.cancel();
        if (thread == 2) race->inner.resolve(2);
      },
      [](std::unique_ptr<Race>& race) {
        const auto result = outcome(race->output);
        EXPECT_TRUE(result == "value 2" || result == "error cancelled") << result;
      });
}

TEST(Stress, APipelineGrowsWhileItSettles) {
  workbook::stress_on(
      2, workbook::rounds(50), [] { return std::make_unique<Source<int>>(); },
      [](std::unique_ptr<Source<int>>& source, std::size_t thread) {
        if (thread == 0) {
          source->resolve(0);
          return;
        }
        auto output = source->future;
        for (int i = 0; i < 100; ++i) output = map<int>(forever, std::move(output), plus_one);
        EXPECT_EQ(show(output.await(forever)), "value 100");
      },
      [](std::unique_ptr<Source<int>>&) {});
}

TEST(Stress, ThousandsOfPipelinesAtOnce) {
  workbook::stress(4, workbook::rounds(300), [](std::size_t, std::size_t) {
    auto scope = with_cancel(forever);
    Source<int> source;
    auto output = map<int>(scope.context(), source.future, plus_one);
    output = then<int>(scope.context(), output, [](const Context&, int v) { return ready(v); });
    output = recover<int>(scope.context(), output, [](const Error&) -> Result<int> { return 0; });
    source.resolve(1);
    EXPECT_EQ(show(output.await(forever)), "value 2");
  });
}

}  // namespace pipeline_suite
