// Threads that wait for what has already happened, or are not told.
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "case.hpp"

namespace catalogue {
namespace {

template <Version version>
void lost_wakeup() {
  std::mutex mutex;
  std::condition_variable changed;
  std::atomic<bool> set{false};
  std::thread signaller([&] {
    if constexpr (version == Version::flawed) {
      set = true;
    } else {
      std::lock_guard lock(mutex);
      set = true;
    }
    changed.notify_one();
  });
  if constexpr (version == Version::flawed) {
    if (!set) {
      std::unique_lock lock(mutex);
      changed.wait(lock);
    }
  } else {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return set.load(); });
  }
  signaller.join();
}
CATALOGUE_CASE(
    lost_wakeup,
    "the flag is checked outside the mutex: the notification falls between check and wait");

template <Version version>
void notify_before_set() {
  std::mutex mutex;
  std::condition_variable changed;
  bool ready = false;
  int value = 0;
  std::thread producer([&] {
    if constexpr (version == Version::flawed) changed.notify_all();
    {
      std::lock_guard lock(mutex);
      value = 7;
      ready = true;
    }
    if constexpr (version == Version::right) changed.notify_all();
  });
  {
    std::unique_lock lock(mutex);
    while (!ready) changed.wait(lock);
    CHECK(value == 7);
  }
  producer.join();
}
CATALOGUE_CASE(notify_before_set,
               "notifies before the state is set: who looks in between sleeps for ever");

template <Version version>
void missed_atomic_notify() {
  std::atomic<int> ticket{0};
  std::atomic<bool> set{false};
  std::thread setter([&] {
    set = true;
    ++ticket;
    ticket.notify_all();
  });
  if constexpr (version == Version::flawed) {
    while (!set.load()) {
      int seen = ticket.load();
      ticket.wait(seen);
    }
  } else {
    for (;;) {
      int seen = ticket.load();
      if (set.load()) break;
      ticket.wait(seen);
    }
  }
  setter.join();
}
CATALOGUE_CASE(missed_atomic_notify,
               "the ticket is read after the condition: a change in between goes unnoticed");

template <Version version>
void wait_without_predicate() {
  std::mutex mutex;
  std::condition_variable changed;
  bool ready = false;
  std::thread setter([&] {
    std::lock_guard lock(mutex);
    ready = true;
    changed.notify_one();
  });
  {
    std::unique_lock lock(mutex);
    if constexpr (version == Version::flawed) {
      if (!ready) changed.wait(lock);
    } else {
      while (!ready) changed.wait(lock);
    }
    CHECK(ready);
  }
  setter.join();
}
CATALOGUE_CASE(wait_without_predicate,
               "waits without a loop: a spurious wake-up passes for the event");

// Concurrent callers of one key share one computation.
template <Version version>
class SingleFlight {
 public:
  std::optional<int> get(const std::string& key) {
    std::unique_lock lock(mutex_);
    if (auto found = results_.find(key); found != results_.end()) return found->second;
    if (flying_.contains(key)) {
      landed_.wait(lock, [&] { return !flying_.contains(key); });
      auto found = results_.find(key);
      return found == results_.end() ? std::nullopt : std::optional(found->second);
    }
    flying_[key] = true;
    lock.unlock();
    int value = 5;  // the computation
    lock.lock();
    if constexpr (version == Version::flawed) {
      flying_.erase(key);
      lock.unlock();
      landed_.notify_all();
      lock.lock();
      results_[key] = value;
    } else {
      results_[key] = value;
      flying_.erase(key);
      landed_.notify_all();
    }
    return value;
  }

 private:
  std::mutex mutex_;
  std::condition_variable landed_;
  std::map<std::string, bool> flying_;
  std::map<std::string, int> results_;
};

template <Version version>
void singleflight_erase_before_store() {
  SingleFlight<version> group;
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; ++i)
    callers.emplace_back([&] {
      auto result = group.get("key");
      CHECK(result && *result == 5);
    });
  for (std::thread& caller : callers) caller.join();
}
CATALOGUE_CASE(singleflight_erase_before_store,
               "the flight is over before its result is stored: a sharer finds nothing");

}  // namespace
}  // namespace catalogue
