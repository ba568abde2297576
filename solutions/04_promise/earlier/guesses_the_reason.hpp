// Whatever ended a context whose deadline has passed is told as the deadline.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

// A place for one result that does not exist yet. Whoever has it calls resolve() or reject();
// whoever needs it calls await(). The first to settle wins, and what it said stays.
//
// Every member may be called from any number of threads at once. A promise may be destroyed as soon
// as an await() has returned its result, even if the resolve() that delivered it has not returned
// yet; nobody else may be inside await() or call anything then.
template <class T>
class Promise {
 public:
  Promise() = default;
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;

  // Settles the promise with a value. True: this call did it. False: it was settled before; the
  // value is dropped and nothing changes.
  bool resolve(T value) { return settle(Result<T>(std::in_place, std::move(value))); }

  // Settles the promise with an error; otherwise as resolve().
  bool reject(Error error) { return settle(Result<T>(std::unexpect, std::move(error))); }

  // Waits for the result; everybody gets a copy of the same one. When the context ends first:
  // the context's error, and the promise is as if nobody had asked. A result that is already there
  // is returned whether the context has ended or not.
  Result<T> await(const Context& context) const {
    {
      std::unique_lock lock(mutex_);
      // wait() asks the predicate before it gives up, so the result beats the cancellation. The
      // look before it is only for speed: an await() on a settled promise needs no stop callback.
      if (!result_ && !changed_.wait(lock, context.stop_token(), [this] { return !!result_; })) {
        {
          const auto deadline = context.deadline();
          if (deadline && *deadline <= Clock::now()) {
            return std::unexpected(Error{Errc::deadline_exceeded, "the deadline has passed"});
          }
          return std::unexpected(*context.error());
        }
      }
    }
    // Copied outside the lock: the result never changes again, and copying a T is the caller's
    // code, which may take long, throw, or call this promise.
    return *result_;
  }

  // Whether a result is there. Once true, await() returns at once.
  bool settled() const {
    const std::lock_guard lock(mutex_);
    return result_.has_value();
  }

 private:
  bool settle(Result<T> result) {
    const std::lock_guard lock(mutex_);
    if (result_) return false;
    result_.emplace(std::move(result));
    // Under the lock, although the woken threads then have to wait for it: an awaiter that got the
    // result may destroy the promise, and with it the condition variable. It can't get there before
    // we let go of the lock, and after that we touch nothing.
    changed_.notify_all();
    return true;
  }

  // Why no atomic flag, so that await() and settled() need no lock? An awaiter could see the flag
  // while settle() is still on its way to notify_all(), and destroy the promise under its feet.
  mutable std::mutex mutex_;
  mutable std::condition_variable_any changed_;  // _any: the one that can wait with a stop token
  std::optional<Result<T>> result_;              // guarded by mutex_ until set; never changes then
};

}  // namespace futures
