// Steps that belong together and are taken apart.
#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "case.hpp"

namespace catalogue {
namespace {

template <Version version>
void check_then_set() {
  std::atomic<int> state{0}, value{0}, winners{0};
  auto resolve = [&](int wanted) {
    if constexpr (version == Version::flawed) {
      if (state.load() != 0) return false;
    } else {
      int pending = 0;
      if (!state.compare_exchange_strong(pending, 1)) return false;
    }
    value = wanted;
    state.store(2);
    return true;
  };
  std::thread first([&] { winners += resolve(1); });
  std::thread second([&] { winners += resolve(2); });
  first.join();
  second.join();
  CHECK(winners == 1);
}
CATALOGUE_CASE(check_then_set,
               "a promise is checked, then settled: two resolvers may both pass the check");

template <Version version>
void double_checked_lazy() {
  std::atomic<int*> value{nullptr};
  std::atomic<int> computed{0};
  std::unique_ptr<int> owner;
  std::mutex mutex;
  auto get = [&] {
    if (int* found = value.load(std::memory_order_acquire)) return *found;
    std::lock_guard lock(mutex);
    if constexpr (version == Version::right)
      if (int* found = value.load(std::memory_order_relaxed)) return *found;
    ++computed;
    owner = std::make_unique<int>(42);
    value.store(owner.get(), std::memory_order_release);
    return 42;
  };
  std::thread first([&] { CHECK(get() == 42); });
  std::thread second([&] { CHECK(get() == 42); });
  first.join();
  second.join();
  CHECK(computed == 1);
}
CATALOGUE_CASE(double_checked_lazy,
               "does not look again under the lock: both compute, one result dies in use");

template <Version version>
void limit_off_by_one() {
  constexpr int limit = 2;
  std::atomic<int> taken{0}, inside{0};
  auto acquire = [&] {
    if constexpr (version == Version::flawed) {
      if (taken.load() >= limit) return false;
      if (taken.fetch_add(1) > limit) {  // should be >=
        --taken;
        return false;
      }
      return true;
    } else {
      int now = taken.load();
      while (now < limit)
        if (taken.compare_exchange_weak(now, now + 1)) return true;
      return false;
    }
  };
  std::vector<std::thread> workers;
  for (int i = 0; i < 3; ++i)
    workers.emplace_back([&] {
      if (!acquire()) return;
      CHECK(++inside <= limit);
      --inside;
      --taken;
    });
  for (std::thread& worker : workers) worker.join();
}
CATALOGUE_CASE(
    limit_off_by_one,
    "the second check lets one too many in when another caller passed the first one too");

// A free list of indices; the right one counts its changes in the upper bits.
template <Version version>
class FreeList {
 public:
  FreeList() {
    for (unsigned i = 0; i < 3; ++i) next_[i] = i + 1;
    next_[2] = none;
  }

  int pop() {
    unsigned head = head_.load();
    while ((head & 0xff) != none) {
      unsigned next = next_[head & 0xff].load();
      if (head_.compare_exchange_strong(head, successor(head, next)))
        return static_cast<int>(head & 0xff);
    }
    return -1;
  }

  void push(int index) {
    unsigned head = head_.load();
    do {
      next_[static_cast<unsigned>(index)].store(head & 0xff);
    } while (!head_.compare_exchange_strong(head, successor(head, static_cast<unsigned>(index))));
  }

 private:
  static constexpr unsigned none = 0xff;
  static unsigned successor([[maybe_unused]] unsigned old, unsigned index) {
    if constexpr (version == Version::flawed) return index & 0xff;
    return (((old >> 8) + 1) << 8) | (index & 0xff);
  }

  std::atomic<unsigned> head_{0};
  std::array<std::atomic<unsigned>, 4> next_{};
};

template <Version version>
void aba() {
  FreeList<version> list;
  std::array<std::atomic<int>, 4> owners{};
  auto take = [&] {
    int index = list.pop();
    if (index >= 0) CHECK(owners[static_cast<unsigned>(index)].fetch_add(1) == 0);
    return index;
  };
  auto give = [&](int index) {
    if (index < 0) return;
    owners[static_cast<unsigned>(index)].fetch_sub(1);
    list.push(index);
  };
  std::thread slow([&] { give(take()); });
  std::thread busy([&] {
    int x = take(), y = take();
    give(x);
    int z = take();
    give(y);
    give(z);
  });
  slow.join();
  busy.join();
}
CATALOGUE_CASE(aba, "the head has the old value again, but its successor is another one");

template <Version version>
void stale_then_fresh_read() {
  std::mutex mutex;
  std::atomic<int> generation{0}, epoch{0};
  std::thread writer([&] {
    for (int i = 0; i < 20; ++i) {
      std::lock_guard lock(mutex);
      ++generation;
    }
    ++epoch;
  });
  std::thread reader([&] {
    if constexpr (version == Version::flawed) {
      int seen = generation.load();
      int done = epoch.load();
      CHECK(!(done == 1 && seen == 0));
    } else {
      int done = epoch.load();
      int seen = generation.load();
      CHECK(done == 0 || seen == 20);
    }
  });
  writer.join();
  reader.join();
}
CATALOGUE_CASE(
    stale_then_fresh_read,
    "reads in the wrong order: bites when the reader pauses through all sixty steps of the writer");

template <Version version>
void subscribe_after_settle() {
  enum { pending, completed, cancelled };
  std::atomic<int> state{pending}, subscribers{0}, fired{0};
  std::mutex mutex;
  auto drain = [&] { fired += subscribers.exchange(0); };
  auto settle = [&](int outcome) {
    for (int i = 0; i < 5; ++i) std::lock_guard lock(mutex);  // it has other things to do
    int expected = pending;
    if (state.compare_exchange_strong(expected, outcome)) drain();
  };
  auto subscribe = [&] {
    if constexpr (version == Version::flawed) {
      if (state.load() != pending) {
        ++fired;
        return;
      }
      ++subscribers;
      if (subscribers.load() > 1 && state.load() != pending) drain();
    } else {
      ++subscribers;
      if (state.load() != pending) drain();
    }
  };
  std::vector<std::thread> threads;
  threads.emplace_back([&] { settle(completed); });
  threads.emplace_back([&] { settle(cancelled); });
  threads.emplace_back(subscribe);
  threads.emplace_back(subscribe);
  for (std::thread& thread : threads) thread.join();
  CHECK(fired == 2 && subscribers == 0);
}
CATALOGUE_CASE(
    subscribe_after_settle,
    "looks again only when somebody else subscribed too: a lone late subscriber is forgotten");

}  // namespace
}  // namespace catalogue
