// Wrong: how many are missing and who decided share one 32-bit word, 16 bits each; bites with more
// than 65535 inputs: the call ends before all is there, waits for ever, or blames another input.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
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
  Board(std::size_t inputs, Decides decides)
      : decides_(decides), word_(static_cast<std::uint16_t>(inputs)) {}

  // By the callback of an input, once for each. No lock but for the one who ends the waiting.
  void tell(std::size_t index, bool good) {
    std::uint32_t before = word_.load();
    std::uint32_t now = 0;
    do {
      now = before - 1;
      if ((before >> 16) == 0 && decisive(decides_, good)) {
        now += static_cast<std::uint32_t>(index + 1) << 16;
      }
    } while (!word_.compare_exchange_weak(before, now));
    if (over(before) || !over(now)) return;
    // The caller looks at the word under this lock, so it is either asleep or will see it.
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }

  void wait(const Context& context) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, context.stop_token(), [this] { return over(word_.load()); });
  }

  std::optional<std::size_t> first_decisive() const {
    const std::uint32_t index = word_.load() >> 16;
    if (index == 0) return std::nullopt;
    return index - 1;
  }

 private:
  static bool over(std::uint32_t word) { return (word >> 16) != 0 || (word & 0xffff) == 0; }

  const Decides decides_;
  std::atomic<std::uint32_t> word_;  // low half: missing; high half: 1 + index of the decisive one
  std::mutex mutex_;
  std::condition_variable_any changed_;
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
