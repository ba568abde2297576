// Task 1: what a future costs over the bare thread that it needs.
#include <atomic>
#include <future>
#include <thread>

#include "compare.hpp"
#include "first_future.hpp"
#include "runtime/spawn.hpp"

namespace {

constexpr int in_a_row = 1000;

const auto* spawn_reference = bench::reference("spawn + finish", [](benchmark::State& state) {
  for (auto _ : state) {
    for (int i = 0; i < in_a_row; ++i) {
      std::atomic_flag done;
      futures::spawn([&] {
        done.test_and_set();
        done.notify_one();
      });
      done.wait(false);
    }
    while (futures::spawned_threads() != 0) std::this_thread::yield();
  }
});

const auto* spawn_thread =
    bench::against("spawn + finish", "std::thread", 1.1, [](benchmark::State& state) {
      for (auto _ : state) {
        for (int i = 0; i < in_a_row; ++i) {
          std::atomic_flag done;
          std::thread thread([&] {
            done.test_and_set();
            done.notify_one();
          });
          done.wait(false);
          thread.join();
        }
      }
    });

const auto* async_reference = bench::reference("async + receive", [](benchmark::State& state) {
  for (auto _ : state) {
    for (int i = 0; i < in_a_row; ++i) {
      benchmark::DoNotOptimize(futures::async([i] { return i; }).receive());
    }
  }
});

const auto* async_std =
    bench::against("async + receive", "std::async", 0, [](benchmark::State& state) {
      for (auto _ : state) {
        for (int i = 0; i < in_a_row; ++i) {
          benchmark::DoNotOptimize(std::async(std::launch::async, [i] { return i; }).get());
        }
      }
    });

}  // namespace
