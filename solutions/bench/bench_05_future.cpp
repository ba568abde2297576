// Task 5: callbacks instead of threads that wait.
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "compare.hpp"
#include "future.hpp"

namespace {

constexpr int crowd = 1000;

const auto* callbacks = bench::reference("1000 listeners", [](benchmark::State& state) {
  for (auto _ : state) {
    auto [future, resolver] = futures::make_future<int>();
    long sum = 0;
    for (int i = 0; i < crowd; ++i) {
      future.on_settled([&sum](const futures::Result<int>& result) { sum += *result; });
    }
    resolver.resolve(1);
    benchmark::DoNotOptimize(sum);
  }
});

const auto* threads =
    bench::against("1000 listeners", "thread per listener", 0.02, [](benchmark::State& state) {
      for (auto _ : state) {
        std::mutex mutex;
        std::condition_variable ready;
        bool settled = false;
        std::vector<std::jthread> listeners;
        listeners.reserve(crowd);
        for (int i = 0; i < crowd; ++i) {
          listeners.emplace_back([&] {
            std::unique_lock lock(mutex);
            ready.wait(lock, [&] { return settled; });
          });
        }
        {
          const std::lock_guard lock(mutex);
          settled = true;
        }
        ready.notify_all();
      }
    });

const auto* make = bench::reference("make, resolve, await", [](benchmark::State& state) {
  const auto context = futures::Context::background();
  for (auto _ : state) {
    auto [future, resolver] = futures::make_future<int>();
    resolver.resolve(1);
    benchmark::DoNotOptimize(future.await(context));
  }
});

const auto* make_std =
    bench::against("make, resolve, await", "std::promise", 0, [](benchmark::State& state) {
      for (auto _ : state) {
        std::promise<int> promise;
        auto future = promise.get_future();
        promise.set_value(1);
        benchmark::DoNotOptimize(future.get());
      }
    });

}  // namespace
