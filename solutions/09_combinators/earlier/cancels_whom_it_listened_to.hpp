// Wrong: stops listening to further inputs once one has decided, and cancels only those it listens
// to; bites when an input was settled beforehand and decides: the pending ones that stand behind it
// in the list are never cancelled.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "future.hpp"  // task 5: yours when it passes, else the reference
#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

namespace detail {

// Shared by a call and its callbacks, of which some may come when the call has long returned.
struct Board {
  static constexpr std::size_t nobody = static_cast<std::size_t>(-1);

  explicit Board(std::size_t inputs) : missing(inputs) {}

  void note(std::size_t input, bool decides) {
    const std::lock_guard lock(mutex);
    --missing;
    if (decides && decisive == nobody) decisive = input;
    if (enough()) changed.notify_all();
  }
  bool enough() const { return missing == 0 || decisive != nobody; }

  std::mutex mutex;
  std::condition_variable_any changed;
  std::size_t missing;            // guarded by mutex, as all below
  std::size_t decisive = nobody;  // the first in time that decides by itself
};

// Listens to the inputs for as long as a call lasts; at its end, whoever it listened to and is not
// done has been told to stop.
template <class T>
class Audience {
 public:
  template <class Decides>
  Audience(const std::vector<Future<T>>& futures, Decides decides)
      : board_(std::make_shared<Board>(futures.size())) {
    for (std::size_t i = 0; i < futures.size(); ++i) {
      heard_.push_back(futures[i]);
      futures[i].on_settled([board = board_, i, decides](const Result<T>& outcome) {
        board->note(i, decides(outcome));
      });
      if (decided()) break;  // no need to hear the others
    }
  }
  Audience(const Audience&) = delete;
  Audience& operator=(const Audience&) = delete;
  ~Audience() {
    for (const auto& future : heard_) future.cancel();
  }

  // False: the context ended before there was enough.
  bool wait(const Context& context) const {
    std::unique_lock lock(board_->mutex);
    return board_->changed.wait(lock, context.stop_token(), [this] { return board_->enough(); });
  }

  std::size_t decisive() const {
    const std::lock_guard lock(board_->mutex);
    return board_->decisive;
  }

 private:
  bool decided() const { return decisive() != Board::nobody; }

  std::vector<Future<T>> heard_;
  std::shared_ptr<Board> board_;
};

template <class T>
std::vector<T> values_of(const Context& context, const std::vector<Future<T>>& futures) {
  std::vector<T> values;
  values.reserve(futures.size());
  for (const auto& future : futures) values.push_back(*future.await(context));
  return values;
}

template <class T>
Error errors_of(const Context& context, const std::vector<Future<T>>& futures) {
  Error error{Errc::unavailable, "no input succeeded"};
  for (const auto& future : futures) error.message += "; " + future.await(context).error().message;
  return error;
}

}  // namespace detail

template <class T>
Result<std::vector<T>> all(const Context& context, std::vector<Future<T>> futures) {
  const detail::Audience<T> audience(futures, [](const Result<T>& outcome) { return !outcome; });
  if (audience.wait(context)) {
    const auto failed = audience.decisive();
    if (failed == detail::Board::nobody) return detail::values_of(context, futures);
    return std::unexpected(futures[failed].await(context).error());
  }
  // The context has ended; an input may have settled while its callback is still on its way.
  bool missing = false;
  for (const auto& future : futures) {
    if (!future.settled()) {
      missing = true;
    } else if (auto outcome = future.await(context); !outcome) {
      const auto failed = audience.decisive();  // may have come round by now
      if (failed != detail::Board::nobody) outcome = futures[failed].await(context);
      return std::unexpected(std::move(outcome).error());
    }
  }
  if (missing) return std::unexpected(*context.error());
  return detail::values_of(context, futures);
}

template <class T>
Result<T> first(const Context& context, std::vector<Future<T>> futures) {
  if (futures.empty()) {
    return std::unexpected(Error{Errc::invalid_argument, "the first of no futures"});
  }
  const detail::Audience<T> audience(futures,
                                     [](const Result<T>& outcome) { return outcome.has_value(); });
  if (audience.wait(context)) {
    const auto winner = audience.decisive();
    if (winner != detail::Board::nobody) return futures[winner].await(context);
    return std::unexpected(detail::errors_of(context, futures));
  }
  bool missing = false;
  for (const auto& future : futures) {
    if (!future.settled()) {
      missing = true;
    } else if (auto outcome = future.await(context)) {
      const auto winner = audience.decisive();  // may have come round by now
      if (winner != detail::Board::nobody) return futures[winner].await(context);
      return outcome;
    }
  }
  if (missing) return std::unexpected(*context.error());
  return std::unexpected(detail::errors_of(context, futures));
}

template <class T>
std::vector<Result<T>> wait_all(const Context& context, std::vector<Future<T>> futures) {
  const detail::Audience<T> audience(futures, [](const Result<T>&) { return false; });
  audience.wait(context);
  // All are there, or the context has ended: nobody waits any more.
  std::vector<Result<T>> outcomes;
  outcomes.reserve(futures.size());
  for (const auto& future : futures) outcomes.push_back(future.await(context));
  return outcomes;
}

}  // namespace futures
