// Wrong: destroys what fn captured with the lock of a list of all running functions held; bites
// when a capture's destructor calls async().
#pragma once

#include <list>
#include <mutex>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// What is running at the moment; for the debugger. Never destroyed: threads may outlive main().
class RunningFunctions {
 public:
  using Entry = std::list<Fn<int()>>::iterator;

  static RunningFunctions& instance() {
    static auto* all = new RunningFunctions;
    return *all;
  }

  Entry add(Fn<int()> fn) {
    std::list<Fn<int()>> one;
    one.push_back(std::move(fn));
    const auto entry = one.begin();
    const std::lock_guard lock(mutex_);
    functions_.splice(functions_.end(), one);
    return entry;
  }

  void remove(Entry entry) {
    const std::lock_guard lock(mutex_);
    functions_.erase(entry);
  }

 private:
  std::mutex mutex_;
  std::list<Fn<int()>> functions_;  // guarded by mutex_; the entries stay where they are
};

}  // namespace detail

inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  auto& running = detail::RunningFunctions::instance();
  const auto entry = running.add(std::move(fn));
  try {
    spawn([sender, entry, &running] {
      try {
        sender.send((*entry)());
      } catch (...) {
        // The closed channel says it.
      }
      sender.close();
      running.remove(entry);
    });
  } catch (...) {
    running.remove(entry);
    throw;
  }
  return receiver;
}

}  // namespace futures
