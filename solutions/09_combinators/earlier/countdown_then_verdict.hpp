// Wrong: a callback counts its input down before it says that it has decided; bites when the only
// success of first() is the last input to settle and the caller looks in between: none is missing
// and nobody has won, so that it reports that all have failed.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <limits>
#include <memory>
#include <stop_token>
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
Error every_failure(const Context& context, const std::vector<Future<T>>& futures) {
  Error all_failed{Errc::unavailable, "no input succeeded"};
  for (const auto& future : futures) {
    if (const auto outcome = future.await(context); !outcome) {
      all_failed.message += "; " + outcome.error().message;
    }
  }
  return all_failed;
}

// The context has ended: a success that is there, or that all have failed, or the context's error.
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

struct Tally {
  void ring() {
    bell.fetch_add(1);
    bell.notify_all();
  }
  std::atomic<std::size_t> missing{0};
  std::atomic<std::size_t> chosen{none};
  std::atomic<std::uint32_t> bell{0};
};

enum class Verdict : int { chosen, complete, ended };
struct Heard {
  Verdict verdict;
  std::size_t index = none;
};

template <Until until, class T>
Heard listen(const Context& context, const std::vector<Future<T>>& futures) {
  const auto tally = std::make_shared<Tally>();
  tally->missing.store(futures.size());
  for (std::size_t i = 0; i < futures.size(); ++i) {
    futures[i].on_settled([tally, i](const Result<T>& outcome) {
      const bool last = tally->missing.fetch_sub(1) == 1;
      bool won = false;
      if (decides<until>(outcome)) {
        auto nobody = none;
        won = tally->chosen.compare_exchange_strong(nobody, i);
      }
      if (last || won) tally->ring();
    });
  }
  const std::stop_callback on_end(context.stop_token(), [&tally] { tally->ring(); });
  while (true) {
    const auto rung = tally->bell.load();
    const bool complete = tally->missing.load() == 0;
    const auto chosen = tally->chosen.load();
    if (chosen != none) return {Verdict::chosen, chosen};
    if (complete) return {Verdict::complete};
    if (context.done()) return {Verdict::ended};
    tally->bell.wait(rung);
  }
}

}  // namespace combine

template <class T>
Result<std::vector<T>> all(const Context& context, std::vector<Future<T>> futures) {
  if (futures.empty()) return std::vector<T>();
  const combine::CancelRest<T> rest(futures);
  const auto heard = combine::listen<combine::Until::failure>(context, futures);
  if (heard.verdict == combine::Verdict::chosen) {
    return std::unexpected(futures.at(heard.index).await(context).error());
  }
  return combine::values_of(context, futures);
}

template <class T>
Result<T> first(const Context& context, std::vector<Future<T>> futures) {
  if (futures.empty()) {
    return std::unexpected(Error{Errc::invalid_argument, "there is nothing to choose from"});
  }
  const combine::CancelRest<T> rest(futures);
  const auto heard = combine::listen<combine::Until::success>(context, futures);
  switch (heard.verdict) {
    case combine::Verdict::chosen:
      return futures.at(heard.index).await(context);
    case combine::Verdict::complete:
      return std::unexpected(combine::every_failure(context, futures));
    case combine::Verdict::ended:
      break;
  }
  return combine::success_of(context, futures);
}

template <class T>
std::vector<Result<T>> wait_all(const Context& context, std::vector<Future<T>> futures) {
  const combine::CancelRest<T> rest(futures);
  combine::listen<combine::Until::end>(context, futures);
  return combine::outcomes_of(context, futures);
}

}  // namespace futures
