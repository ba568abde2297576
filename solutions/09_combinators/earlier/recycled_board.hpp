// Wrong: each thread uses one board for all its calls, and a callback compares its generation with
// the board's before it takes the lock; bites when an input of an earlier, decided call settles
// late, its callback has looked, and the thread starts its next call before the callback has the
// lock: what the foreign input says is counted in the new call.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <limits>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "future.hpp"
#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

namespace combine {

enum class Until : int { end, failure, success };  // what ends a call early
inline constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

template <Until until, class T>
bool decides(const Result<T>& outcome) {
  if constexpr (until == Until::end) return false;
  return outcome.has_value() == (until == Until::success);
}

// Cancels what is pending when a call is left, after its answer is complete.
template <class T>
struct CancelRest {
  explicit CancelRest(const std::vector<Future<T>>& f) : futures(f) {}
  ~CancelRest() {
    for (const auto& future : futures) future.cancel();
  }
  CancelRest(const CancelRest&) = delete;
  CancelRest& operator=(const CancelRest&) = delete;
  const std::vector<Future<T>>& futures;
};

// What the inputs say by now. Nobody was heard to decide: the values, an error that is there, or
// the context's.
template <class T>
Result<std::vector<T>> values_of(const Context& context, const std::vector<Future<T>>& futures) {
  std::vector<T> values;
  values.reserve(futures.size());
  bool pending = false;
  for (const auto& future : futures) {
    if (!future.settled()) {
      pending = true;
      continue;
    }
    auto outcome = future.await(context);
    if (!outcome) return std::unexpected(std::move(outcome).error());
    values.push_back(*std::move(outcome));
  }
  if (pending) return std::unexpected(*context.error());
  return values;
}

template <class T>
Result<T> success_of(const Context& context, const std::vector<Future<T>>& futures) {
  Error all_failed{Errc::unavailable, "no input succeeded"};
  bool pending = false;
  for (const auto& future : futures) {
    if (!future.settled()) {
      pending = true;
      continue;
    }
    auto outcome = future.await(context);
    if (outcome) return outcome;
    all_failed.message += "; " + outcome.error().message;
  }
  if (pending) return std::unexpected(*context.error());
  return std::unexpected(std::move(all_failed));
}

template <class T>
std::vector<Result<T>> outcomes_of(const Context& context, const std::vector<Future<T>>& futures) {
  std::vector<Result<T>> outcomes;
  outcomes.reserve(futures.size());
  for (const auto& future : futures) {
    if (future.settled()) {
      outcomes.push_back(future.await(context));
    } else {
      outcomes.push_back(Result<T>(std::unexpect, *context.error()));
    }
  }
  return outcomes;
}

// The board of a call. A thread keeps it for its next one: a new generation, the same memory.
struct Board {
  std::atomic<std::uint64_t> generation{0};
  std::mutex mutex;
  std::condition_variable_any changed;
  std::size_t missing = 0;    // guarded by mutex
  std::size_t chosen = none;  // guarded by mutex
};

class Lease {
 public:
  explicit Lease(std::size_t inputs) : board_(std::exchange(spare(), nullptr)) {
    if (!board_) board_ = std::make_shared<Board>();
    const std::lock_guard lock(board_->mutex);
    board_->missing = inputs;
    board_->chosen = none;
  }
  ~Lease() {
    {
      const std::lock_guard lock(board_->mutex);
      board_->generation.fetch_add(1);
    }
    spare() = std::move(board_);
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  const std::shared_ptr<Board>& board() const { return board_; }

 private:
  // Empty while a call uses it: a call inside a call makes one of its own.
  static std::shared_ptr<Board>& spare() {
    thread_local std::shared_ptr<Board> board;
    return board;
  }

  std::shared_ptr<Board> board_;
};

template <Until until, class T>
std::size_t listen(const Context& context, const std::vector<Future<T>>& futures) {
  const Lease lease(futures.size());
  const auto board = lease.board();
  const auto generation = board->generation.load();
  for (std::size_t i = 0; i < futures.size(); ++i) {
    futures[i].on_settled([board, generation, i](const Result<T>& outcome) {
      if (board->generation.load() != generation) return;  // nobody waits any more
      const std::lock_guard lock(board->mutex);
      --board->missing;
      if (board->chosen == none && decides<until>(outcome)) board->chosen = i;
      if (board->missing == 0 || board->chosen != none) board->changed.notify_all();
    });
  }
  std::unique_lock lock(board->mutex);
  board->changed.wait(lock, context.stop_token(),
                      [&] { return board->missing == 0 || board->chosen != none; });
  return board->chosen;
}

}  // namespace combine

template <class T>
Result<std::vector<T>> all(const Context& context, std::vector<Future<T>> futures) {
  if (futures.empty()) return std::vector<T>();
  const combine::CancelRest<T> rest(futures);
  const auto chosen = combine::listen<combine::Until::failure>(context, futures);
  if (chosen != combine::none) {
    return std::unexpected(futures.at(chosen).await(context).error());
  }
  return combine::values_of(context, futures);
}

template <class T>
Result<T> first(const Context& context, std::vector<Future<T>> futures) {
  if (futures.empty()) {
    return std::unexpected(Error{Errc::invalid_argument, "there is nothing to choose from"});
  }
  const combine::CancelRest<T> rest(futures);
  const auto chosen = combine::listen<combine::Until::success>(context, futures);
  if (chosen != combine::none) return futures.at(chosen).await(context);
  return combine::success_of(context, futures);
}

template <class T>
std::vector<Result<T>> wait_all(const Context& context, std::vector<Future<T>> futures) {
  const combine::CancelRest<T> rest(futures);
  combine::listen<combine::Until::end>(context, futures);
  return combine::outcomes_of(context, futures);
}

}  // namespace futures
