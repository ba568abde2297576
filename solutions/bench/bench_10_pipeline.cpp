// Task 10: a thousand stages, built and run.
#include <malloc.h>
#include <thread>
#include <utility>
#include <vector>

#ifdef WORKBOOK_HAS_BOOST
#define BOOST_THREAD_VERSION 5
#include <boost/thread/future.hpp>
#endif

#include "compare.hpp"
#include "pipeline.hpp"

namespace {

constexpr int stages = 1000;

const auto* reference = bench::reference("1000 stages", [](benchmark::State& state) {
  const auto context = futures::Context::background();
  for (auto _ : state) {
    auto [future, resolver] = futures::make_future<int>();
    for (int i = 0; i < stages; ++i) {
      future = futures::map<int>(context, std::move(future),
                                 [](int value) -> futures::Result<int> { return value + 1; });
    }
    resolver.resolve(0);
    benchmark::DoNotOptimize(future.await(context));
  }
});

#ifdef WORKBOOK_HAS_BOOST
const auto* boost_sync =
    bench::against("1000 stages", "Boost, launch::sync", 1.5, [](benchmark::State& state) {
      for (auto _ : state) {
        boost::promise<int> promise;
        auto future = promise.get_future();
        for (int i = 0; i < stages; ++i) {
          future = future.then(boost::launch::sync,
                               [](boost::future<int> value) { return value.get() + 1; });
        }
        promise.set_value(0);
        benchmark::DoNotOptimize(future.get());
      }
    });
#endif

const auto* threads =
    bench::against("1000 stages", "thread per stage", 0.02, [](benchmark::State& state) {
      const auto context = futures::Context::background();
      for (auto _ : state) {
        auto [future, resolver] = futures::make_future<int>();
        std::vector<std::jthread> bridges;
        bridges.reserve(stages);
        for (int i = 0; i < stages; ++i) {
          auto [next, next_resolver] = futures::make_future<int>();
          bridges.emplace_back(
              [context, upstream = std::move(future), out = std::move(next_resolver)]() mutable {
                out.resolve(*upstream.await(context) + 1);
              });
          future = std::move(next);
        }
        resolver.resolve(0);
        benchmark::DoNotOptimize(future.await(context));
      }
    });

// Memory that a stage holds while it waits, from the allocator's own books.
const auto* bytes =
    bench::reference("bytes per pending stage (limit 256)", [](benchmark::State& state) {
      const auto context = futures::Context::background();
      for (auto _ : state) {
        auto [future, resolver] = futures::make_future<int>();
        const auto before = mallinfo2().uordblks;
        for (int i = 0; i < stages; ++i) {
          future = futures::map<int>(context, std::move(future),
                                     [](int value) -> futures::Result<int> { return value + 1; });
        }
        state.counters["bytes"] = static_cast<double>(mallinfo2().uordblks - before) / stages;
        resolver.resolve(0);
      }
    });

}  // namespace
