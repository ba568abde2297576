// Task 9: waiting for a thousand futures without a thousand threads.
#include <thread>
#include <utility>
#include <vector>

#include "combinators.hpp"
#include "compare.hpp"

namespace {

constexpr std::size_t inputs = 1000;

// A thousand pending futures, settled by another thread while all() waits.
template <class Wait>
void all_of_pending(benchmark::State& state, Wait wait) {
  for (auto _ : state) {
    std::vector<futures::Future<int>> pending;
    std::vector<futures::Resolver<int>> resolvers;
    for (std::size_t i = 0; i < inputs; ++i) {
      auto [future, resolver] = futures::make_future<int>();
      pending.push_back(std::move(future));
      resolvers.push_back(std::move(resolver));
    }
    const std::jthread producer([&resolvers] {
      for (auto& resolver : resolvers) resolver.resolve(1);
    });
    wait(std::move(pending));
  }
}

const auto* reference = bench::reference("all of 1000 pending", [](benchmark::State& state) {
  all_of_pending(state, [](std::vector<futures::Future<int>> pending) {
    benchmark::DoNotOptimize(futures::all(futures::Context::background(), std::move(pending)));
  });
});

const auto* threads =
    bench::against("all of 1000 pending", "thread per input", 0.05, [](benchmark::State& state) {
      all_of_pending(state, [](const std::vector<futures::Future<int>>& pending) {
        std::vector<int> values(pending.size());
        std::vector<std::jthread> waiters;
        waiters.reserve(pending.size());
        for (std::size_t i = 0; i < pending.size(); ++i) {
          waiters.emplace_back(
              [&, i] { values[i] = *pending[i].await(futures::Context::background()); });
        }
        waiters.clear();
        benchmark::DoNotOptimize(values);
      });
    });

}  // namespace
