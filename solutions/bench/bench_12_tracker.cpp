// Task 12: what tracking adds to a future.
#include <utility>

#include "compare.hpp"
#include "tracker.hpp"

namespace {

const auto* tracked = bench::reference("make + settle", [](benchmark::State& state) {
  futures::Tracker tracker;
  for (auto _ : state) {
    auto [future, resolver] = tracker.make<int>();
    resolver.resolve(1);
    benchmark::DoNotOptimize(future);
  }
});

const auto* plain = bench::against("make + settle", "untracked", 1.5, [](benchmark::State& state) {
  for (auto _ : state) {
    auto [future, resolver] = futures::make_future<int>();
    resolver.resolve(1);
    benchmark::DoNotOptimize(future);
  }
});

}  // namespace
