// Task 8: a hundred callers of one id against a backend that serves one request at a time.
#include <latch>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "compare.hpp"
#include "user_loader.hpp"

namespace {

using namespace std::chrono_literals;

constexpr int callers = 100;

// A backend with one connection: a load takes 100 microseconds of it.
class Backend {
 public:
  futures::Result<futures::User> load(const std::string& id) {
    const std::lock_guard one_connection(mutex_);
    const auto until = std::chrono::steady_clock::now() + 100us;
    while (std::chrono::steady_clock::now() < until) {
    }
    return futures::User{id, "Ada"};
  }

 private:
  std::mutex mutex_;
};

template <class Get>
void crowd(benchmark::State& state, Get get) {
  for (auto _ : state) {
    std::latch start(callers);
    std::vector<std::jthread> threads;
    threads.reserve(callers);
    for (int i = 0; i < callers; ++i) {
      threads.emplace_back([&] {
        start.arrive_and_wait();
        benchmark::DoNotOptimize(get("ada"));
      });
    }
  }
}

const auto* shared = bench::reference("100 callers of one id", [](benchmark::State& state) {
  Backend backend;
  futures::UserLoader loader(
      [&](const futures::Context&, const std::string& id) { return backend.load(id); });
  crowd(state,
        [&](const std::string& id) { return loader.get(futures::Context::background(), id); });
});

const auto* alone =
    bench::against("100 callers of one id", "a load per caller", 0, [](benchmark::State& state) {
      Backend backend;
      crowd(state, [&](const std::string& id) { return backend.load(id); });
    });

}  // namespace
