// Wrong: destroys what fn captured with the lock of a list of all running functions held; bites
// when a capture's destructor calls async_result().
#pragma once

#include <expected>
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
  using Entry = std::list<Fn<void()>>::iterator;

  static RunningFunctions& instance() {
    static auto* all = new RunningFunctions;
    return *all;
  }

  Entry add(Fn<void()> fn) {
    std::list<Fn<void()>> one;
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
  std::list<Fn<void()>> functions_;  // guarded by mutex_; the entries stay where they are
};

}  // namespace detail

template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  auto& running = detail::RunningFunctions::instance();
  const auto entry = running.add([fn = std::move(fn), sender]() mutable {
    try {
      sender.send(fn());
    } catch (...) {
      sender.send(std::unexpected(error_from_current_exception()));
    }
    sender.close();
  });
  try {
    spawn([entry, &running] {
      (*entry)();
      running.remove(entry);
    });
  } catch (...) {
    running.remove(entry);
    throw;
  }
  return receiver;
}

}  // namespace futures
