// Wrong: each callback of all() writes its value into its own element of one std::vector<T> without
// a lock, which is fine for every T but bool, whose elements share words; bites when two inputs of
// all<bool>() settle with true in the same moment: one write is lost, and a true comes out as
// false.
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <limits>
#include <memory>
#include <stop_token>
#include <type_traits>
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

struct Tally {
  void ring() {
    bell.fetch_add(1);
    bell.notify_all();
  }
  // True: the call goes on after this one.
  void count() {
    if (missing.fetch_sub(1) == 1) ring();
  }
  void decide(std::size_t index) {
    auto nobody = none;
    if (chosen.compare_exchange_strong(nobody, index)) ring();
    count();
  }
  std::atomic<std::size_t> missing{0};
  std::atomic<std::size_t> chosen{none};
  std::atomic<bool> incomplete{false};  // a value could not be put into its slot
  std::atomic<std::uint32_t> bell{0};
};

enum class Verdict : int { chosen, complete, ended };

inline Verdict wait(const Context& context, const std::shared_ptr<Tally>& tally) {
  const std::stop_callback on_end(context.stop_token(), [&tally] { tally->ring(); });
  while (true) {
    const auto rung = tally->bell.load();
    const bool complete = tally->missing.load() == 0;
    if (tally->chosen.load() != none) return Verdict::chosen;
    if (complete) return Verdict::complete;
    if (context.done()) return Verdict::ended;
    tally->bell.wait(rung);
  }
}

template <Until until, class T>
std::size_t listen(const Context& context, const std::vector<Future<T>>& futures) {
  const auto tally = std::make_shared<Tally>();
  tally->missing.store(futures.size());
  if (futures.empty()) return none;
  for (std::size_t i = 0; i < futures.size(); ++i) {
    futures[i].on_settled([tally, i](const Result<T>& outcome) {
      if (decides<until>(outcome)) {
        tally->decide(i);
      } else {
        tally->count();
      }
    });
  }
  return wait(context, tally) == Verdict::chosen ? tally->chosen.load() : none;
}

// Values that can be put where they belong by whoever settles.
template <class T>
concept Placeable = std::default_initializable<T> && std::is_copy_assignable_v<T>;

template <class T>
struct Slots : Tally {
  explicit Slots(std::size_t inputs) : values(inputs) { missing.store(inputs); }
  std::vector<T> values;  // each input has its own element; read when none is missing
};

template <Placeable T>
Result<std::vector<T>> gather(const Context& context, const std::vector<Future<T>>& futures) {
  const auto slots = std::make_shared<Slots<T>>(futures.size());
  for (std::size_t i = 0; i < futures.size(); ++i) {
    futures[i].on_settled([slots, i](const Result<T>& outcome) {
      if (!outcome) return slots->decide(i);
      try {
        slots->values[i] = *outcome;
      } catch (...) {
        slots->incomplete.store(true);
      }
      slots->count();
    });
  }
  switch (wait(context, slots)) {
    case Verdict::chosen:
      return std::unexpected(futures.at(slots->chosen.load()).await(context).error());
    case Verdict::complete:
      if (!slots->incomplete.load()) return std::move(slots->values);
      break;
    case Verdict::ended:
      break;
  }
  return values_of(context, futures);
}

template <class T>
Result<std::vector<T>> gather(const Context& context, const std::vector<Future<T>>& futures) {
  const auto chosen = listen<Until::failure>(context, futures);
  if (chosen != none) return std::unexpected(futures.at(chosen).await(context).error());
  return values_of(context, futures);
}

}  // namespace combine

template <class T>
Result<std::vector<T>> all(const Context& context, std::vector<Future<T>> futures) {
  if (futures.empty()) return std::vector<T>();
  const combine::CancelRest<T> rest(futures);
  return combine::gather(context, futures);
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
