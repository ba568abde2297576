// Wrong: a single input is simply awaited; bites when there is one input and the context ends: that
// input is not cancelled.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "future.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

namespace combinators_detail {

// Which outcome settles the matter before all are there.
enum class Decides { failure, success, nothing };

inline bool decisive(Decides decides, bool good) {
  return decides != Decides::nothing && good == (decides == Decides::success);
}

// What was known when the waiting was over, before anything was cancelled.
struct Found {
  std::optional<std::size_t> decisive;  // the first in time
  std::vector<bool> there;
};

template <class T>
Result<T> outcome(const Future<T>& settled) {
  return settled.await(Context::background());
}

class Board {
 public:
  Board(std::size_t inputs, Decides decides) : decides_(decides), missing_(inputs) {}

  // By the callback of an input, once for each.
  void tell(std::size_t index, bool good) {
    const std::lock_guard lock(mutex_);
    --missing_;
    if (!decisive_ && decisive(decides_, good)) decisive_ = index;
    if (decisive_ || missing_ == 0) changed_.notify_all();
  }

  void wait(const Context& context) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, context.stop_token(), [this] { return decisive_ || missing_ == 0; });
  }

  std::optional<std::size_t> first_decisive() const {
    const std::lock_guard lock(mutex_);
    return decisive_;
  }

 private:
  const Decides decides_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::size_t missing_;                  // guarded by mutex_
  std::optional<std::size_t> decisive_;  // guarded by mutex_
};

template <class T>
std::shared_ptr<Board> board_for(const std::vector<Future<T>>& futures, Decides decides) {
  auto board = std::make_shared<Board>(futures.size(), decides);
  for (std::size_t i = 0; i < futures.size(); ++i) {
    futures[i].on_settled(
        [board, i](const Result<T>& result) { board->tell(i, result.has_value()); });
  }
  return board;
}

template <class T>
Found watch(const Context& context, const std::vector<Future<T>>& futures, Decides decides) {
  const auto board = board_for(futures, decides);
  board->wait(context);
  Found found;
  // The futures are asked, not the board: the news of one that has just settled may be on its way.
  for (const auto& future : futures) found.there.push_back(future.settled());
  found.decisive = board->first_decisive();
  for (const auto& future : futures) future.cancel();
  return found;
}

}  // namespace combinators_detail

template <class T>
Result<std::vector<T>> all(const Context& context, std::vector<Future<T>> futures) {
  using namespace combinators_detail;
  if (futures.size() == 1) {  // no siblings, nothing to put in order
    Result<T> only = futures.front().await(context);
    if (!only) return std::unexpected(std::move(only.error()));
    std::vector<T> values;
    values.push_back(*std::move(only));
    return values;
  }
  const Found found = watch(context, futures, Decides::failure);
  if (found.decisive) return std::unexpected(outcome(futures[*found.decisive]).error());
  std::vector<T> values;
  values.reserve(futures.size());
  bool complete = true;
  for (std::size_t i = 0; i < futures.size(); ++i) {
    if (!found.there[i]) {
      complete = false;
      continue;
    }
    Result<T> result = outcome(futures[i]);
    if (!result) return std::unexpected(std::move(result.error()));
    if (complete) values.push_back(*std::move(result));
  }
  if (!complete) return std::unexpected(*context.error());
  return values;
}

template <class T>
Result<T> first(const Context& context, std::vector<Future<T>> futures) {
  using namespace combinators_detail;
  if (futures.size() == 1) return futures.front().await(context);  // no choice
  if (futures.empty()) {
    return std::unexpected(Error{Errc::invalid_argument, "first: nothing to choose from"});
  }
  const Found found = watch(context, futures, Decides::success);
  if (found.decisive) return outcome(futures[*found.decisive]);
  std::string messages = "every input failed";
  bool complete = true;
  for (std::size_t i = 0; i < futures.size(); ++i) {
    if (!found.there[i]) {
      complete = false;
      continue;
    }
    Result<T> result = outcome(futures[i]);
    if (result) return result;
    messages += (i == 0 ? ": " : "; ") + result.error().message;
  }
  if (!complete) return std::unexpected(*context.error());
  return std::unexpected(Error{Errc::unavailable, std::move(messages)});
}

template <class T>
std::vector<Result<T>> wait_all(const Context& context, std::vector<Future<T>> futures) {
  using namespace combinators_detail;
  if (futures.size() == 1) {
    std::vector<Result<T>> outcomes;
    outcomes.push_back(futures.front().await(context));
    return outcomes;
  }
  const Found found = watch(context, futures, Decides::nothing);
  std::vector<Result<T>> outcomes;
  outcomes.reserve(futures.size());
  for (std::size_t i = 0; i < futures.size(); ++i) {
    if (found.there[i]) {
      outcomes.push_back(outcome(futures[i]));
    } else {
      outcomes.push_back(std::unexpected(*context.error()));
    }
  }
  return outcomes;
}

}  // namespace futures
