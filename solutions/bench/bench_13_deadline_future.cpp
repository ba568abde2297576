// Task 13: a thousand awaits, each with a tighter deadline, on one running future.
#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <iterator>
#include <mutex>
#include <thread>
#include <vector>

#include "compare.hpp"
#include "deadline_future.hpp"

namespace {

using namespace std::chrono_literals;

constexpr int awaits = 1000;

std::size_t threads_in_process() {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}));
}

const auto* reference = bench::reference("1000 tightenings", [](benchmark::State& state) {
  std::size_t most = 0;
  for (auto _ : state) {
    auto future =
        futures::go_with_deadline<int>([](const futures::Context& context) -> futures::Result<int> {
          context.sleep_for(1h);
          return std::unexpected(*context.error());
        });
    const auto before = threads_in_process();
    for (int i = 0; i < awaits; ++i) {
      // An awaiter that has left already: it tightens and returns at once.
      auto caller = futures::with_timeout(futures::Context::background(), 1h - i * 1s);
      caller.cancel();
      benchmark::DoNotOptimize(future.await(caller.context()));
    }
    // The threads of earlier iterations may still have been on their way out before.
    most = std::max(most, std::max(threads_in_process(), before) - before);
    future.cancel();
  }
  state.counters["threads alive"] = static_cast<double>(most);
});

const auto* monitors = bench::against(
    "1000 tightenings", "monitor thread per await", 0.02, [](benchmark::State& state) {
      for (auto _ : state) {
        std::mutex mutex;
        std::condition_variable wake;
        bool settled = false;
        std::vector<std::jthread> threads;
        threads.reserve(awaits);
        for (int i = 0; i < awaits; ++i) {
          threads.emplace_back([&, until = std::chrono::steady_clock::now() + 1h - i * 1s] {
            std::unique_lock lock(mutex);
            wake.wait_until(lock, until, [&] { return settled; });
          });
        }
        {
          const std::lock_guard lock(mutex);
          settled = true;
        }
        wake.notify_all();
      }
    });

}  // namespace
