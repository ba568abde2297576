// Wrong: destroys what fn captured with the lock of its crew held; bites when a capture's
// destructor calls async_with_context().
#pragma once

#include <expected>
#include <map>
#include <mutex>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// The functions that are running, by number. Never destroyed: threads may outlive main().
class Crew {
 public:
  static Crew& instance() {
    static auto* crew = new Crew;
    return *crew;
  }

  // A map's elements stay where they are.
  std::pair<int, Fn<void()>*> add(Fn<void()> job) {
    const std::lock_guard lock(mutex_);
    const int number = ++last_;
    return {number, &jobs_.emplace(number, std::move(job)).first->second};
  }

  void forget(int number) {
    const std::lock_guard lock(mutex_);
    jobs_.erase(number);
  }

 private:
  std::mutex mutex_;
  int last_ = 0;                    // guarded by mutex_
  std::map<int, Fn<void()>> jobs_;  // guarded by mutex_
};

}  // namespace detail

template <class T>
Receiver<Result<T>> async_with_context(Context ctx, Fn<Result<T>(const Context&)> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  auto& crew = detail::Crew::instance();
  const auto [number, job] = crew.add([ctx = std::move(ctx), fn = std::move(fn), sender]() mutable {
    try {
      sender.send(fn(ctx));
    } catch (...) {
      sender.send(std::unexpected(error_from_current_exception()));
    }
    sender.close();
  });
  try {
    spawn([number, job, &crew] {
      (*job)();
      crew.forget(number);
    });
  } catch (...) {
    crew.forget(number);
    throw;
  }
  return receiver;
}

template <class T>
Result<T> await(const Context& ctx, Receiver<Result<T>>& future) {
  Result<Result<T>> message = future.receive(ctx);
  if (!message) return std::unexpected(std::move(message).error());
  return *std::move(message);
}

}  // namespace futures
