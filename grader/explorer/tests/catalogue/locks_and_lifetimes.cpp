// Locks in the wrong order, and memory that is used for too long.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "case.hpp"

namespace catalogue {
namespace {

using namespace std::chrono_literals;

template <Version version>
void abba_deadlock() {
  std::mutex a, b;
  std::atomic<int> phase{0};
  int total = 0;
  std::thread audit([&] {
    ++phase;
    ++phase;
    std::lock_guard first(a);
    std::lock_guard second(b);
    ++total;
  });
  std::thread quick([&] {
    if constexpr (version == Version::flawed) {
      bool odd = phase.load() == 1;  // only within a window of one step
      std::lock_guard first(odd ? b : a);
      std::lock_guard second(odd ? a : b);
      ++total;
    } else {
      std::scoped_lock both(a, b);
      ++total;
    }
  });
  audit.join();
  quick.join();
  CHECK(total == 2);
}
CATALOGUE_CASE(abba_deadlock,
               "takes two locks in either order, the other one only in a rare phase");

struct FirstResult {
  std::mutex mutex;
  std::condition_variable arrived;
  std::optional<int> value;

  void offer(int result) {
    std::lock_guard lock(mutex);
    if (value) return;
    value = result;
    arrived.notify_one();
  }
  std::optional<int> wait_for(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex);
    arrived.wait_for(lock, limit, [&] { return value.has_value(); });
    return value;
  }
};

template <Version version>
void dangling_first() {
  std::vector<std::thread> pool;
  std::atomic<bool> fast_done{false};
  auto first = [&]() -> std::optional<int> {
    std::function<int()> fast = [&] {
      fast_done = true;
      return 1;
    };
    std::function<int()> slow = [&] {
      if (fast_done) std::this_thread::sleep_for(1s);  // only when it starts late
      return 2;
    };
    if constexpr (version == Version::flawed) {
      FirstResult state;
      for (auto& work : {fast, slow}) pool.emplace_back([&state, work] { state.offer(work()); });
      return state.wait_for(500ms);
    } else {
      auto state = std::make_shared<FirstResult>();
      for (auto& work : {fast, slow}) pool.emplace_back([state, work] { state->offer(work()); });
      return state->wait_for(500ms);
    }
  };
  CHECK(first());
  for (std::thread& worker : pool) worker.join();
}
CATALOGUE_CASE(dangling_first,
               "first-of-two returns while the loser still holds a reference into its frame");

// A rendezvous: the sender puts the value straight into a waiting receiver's slot.
template <Version version>
class Rendezvous {
 public:
  bool try_send(int value) {
    std::lock_guard lock(mutex_);
    if (waiting_.empty()) return false;
    Slot* slot = waiting_.back();
    waiting_.pop_back();
    slot->value = value;
    slot->filled.notify_one();
    return true;
  }

  std::optional<int> receive_for(std::chrono::milliseconds limit) {
    Slot slot;
    std::unique_lock lock(mutex_);
    waiting_.push_back(&slot);
    auto deadline = std::chrono::steady_clock::now() + limit;
    while (!slot.value) {
      if (slot.filled.wait_until(lock, deadline) != std::cv_status::timeout) continue;
      if (version == Version::right && slot.value) break;
      std::erase(waiting_, &slot);
      return std::nullopt;
    }
    return slot.value;
  }

 private:
  struct Slot {
    std::condition_variable filled;
    std::optional<int> value;
  };
  std::mutex mutex_;
  std::vector<Slot*> waiting_;
};

template <Version version>
void value_lost_at_deadline() {
  Rendezvous<version> channel;
  std::atomic<bool> sent{false};
  std::thread sender([&] {
    std::this_thread::sleep_for(2ms);
    sent = channel.try_send(9);
  });
  auto received = channel.receive_for(2ms);
  sender.join();
  CHECK(sent == received.has_value());
}
CATALOGUE_CASE(value_lost_at_deadline,
               "the slot is filled in the moment the time runs out: sent, but never received");

template <Version version>
void freed_while_notifying() {
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
  };
  auto await = [](State& state) {
    std::unique_lock lock(state.mutex);
    state.changed.wait(lock, [&] { return state.done; });
  };
  if constexpr (version == Version::flawed) {
    auto state = std::make_unique<State>();
    std::thread setter([&shared = *state] {
      {
        std::lock_guard lock(shared.mutex);
        shared.done = true;
      }
      shared.changed.notify_one();
    });
    await(*state);
    state.reset();
    setter.join();
  } else {
    auto state = std::make_shared<State>();
    std::thread setter([state] {
      std::lock_guard lock(state->mutex);
      state->done = true;
      state->changed.notify_one();
    });
    await(*state);
    state.reset();
    setter.join();
  }
}
CATALOGUE_CASE(freed_while_notifying,
               "the waiter destroys the state while the notifier is still inside it");

}  // namespace
}  // namespace catalogue
