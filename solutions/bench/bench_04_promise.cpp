// Task 4: a promise in one thread and across two.
#include <atomic>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "compare.hpp"
#include "promise.hpp"

namespace {

const auto* one_thread = bench::reference("one thread", [](benchmark::State& state) {
  const auto context = futures::Context::background();
  for (auto _ : state) {
    futures::Promise<int> promise;
    promise.resolve(1);
    benchmark::DoNotOptimize(promise.await(context));
  }
});

const auto* one_thread_std =
    bench::against("one thread", "std::promise", 0.5, [](benchmark::State& state) {
      for (auto _ : state) {
        std::promise<int> promise;
        auto future = promise.get_future();
        promise.set_value(1);
        benchmark::DoNotOptimize(future.get());
      }
    });

// What one would write by hand when a value crosses threads once.
class Slot {
 public:
  void resolve(int value) {
    {
      const std::lock_guard lock(mutex_);
      value_ = value;
    }
    ready_.notify_all();
  }
  int await() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return value_.has_value(); });
    return *value_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::optional<int> value_;
};

// Hands one object a round to a partner thread, which settles it while this thread awaits it.
template <class Cell, class Settle, class Await>
void hand_off(benchmark::State& state, Settle settle, Await await) {
  // A settled cell stays until the next is, or the partner has gone: it may still be inside.
  auto keep = std::make_unique<Cell>();
  std::atomic<Cell*> mailbox{nullptr};
  std::jthread partner([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      mailbox.wait(nullptr);
      if (Cell* cell = mailbox.exchange(nullptr)) settle(*cell);
    }
  });
  for (auto _ : state) {
    auto cell = std::make_unique<Cell>();
    mailbox = cell.get();
    mailbox.notify_one();
    benchmark::DoNotOptimize(await(*cell));
    keep = std::move(cell);
  }
  partner.request_stop();
  mailbox = keep.get();
  mailbox.notify_one();
}

const auto* across = bench::reference("hand-off", [](benchmark::State& state) {
  hand_off<futures::Promise<int>>(
      state, [](auto& promise) { promise.resolve(1); },
      [](auto& promise) { return *promise.await(futures::Context::background()); });
});

const auto* across_by_hand =
    bench::against("hand-off", "mutex + condition variable", 1.1, [](benchmark::State& state) {
      hand_off<Slot>(
          state, [](Slot& slot) { slot.resolve(1); }, [](Slot& slot) { return slot.await(); });
    });

}  // namespace
