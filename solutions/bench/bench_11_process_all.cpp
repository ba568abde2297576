// Task 11: ten thousand empty jobs, at most sixteen at once.
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "compare.hpp"
#include "process_all.hpp"

namespace {

constexpr std::size_t jobs = 10'000;
constexpr std::size_t limit = 16;

const auto* reference = bench::reference("10,000 jobs", [](benchmark::State& state) {
  const std::vector<futures::Job> work(jobs);
  for (auto _ : state) {
    benchmark::DoNotOptimize(futures::process_all(
        futures::Context::background(), work, limit,
        [](const futures::Context&, const futures::Job&) { return futures::Result<void>(); }));
  }
});

const auto* thread_per_job =
    bench::against("10,000 jobs", "semaphore + thread per job", 0.05, [](benchmark::State& state) {
      const std::vector<futures::Job> work(jobs);
      for (auto _ : state) {
        std::counting_semaphore<> slots(limit);
        std::vector<std::jthread> threads;
        threads.reserve(jobs);
        for (const auto& job : work) {
          slots.acquire();
          threads.emplace_back([&] {
            benchmark::DoNotOptimize(&job);
            slots.release();
          });
        }
      }
    });

}  // namespace
