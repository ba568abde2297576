// Right: the caller sleeps on a child of its context, and the decisive callback wakes it by
// cancelling that child. Outcomes are not copied anywhere: the callbacks climb a tournament tree,
// whose second arrival goes on upwards, so that whoever leaves the root knows that all are there;
// the first of the decisive kind is a compare-exchange. What was decided is read from the settled
// inputs themselves.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
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
class Tournament {
 public:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  explicit Tournament(std::size_t players) : seen_one_(players) {}

  // Whether this is the first one that would decide by itself.
  bool claim(std::size_t player) {
    std::size_t nobody = none;
    return winner_.compare_exchange_strong(nobody, player, std::memory_order_acq_rel);
  }

  // Whether this is the last of all. Matches are numbered like a heap: the players are the leaves
  // n .. 2n-1, the matches 1 .. n-1, and each match has two below it.
  bool arrive(std::size_t player) {
    for (std::size_t at = (seen_one_.size() + player) / 2; at != 0; at /= 2) {
      if (!seen_one_[at].exchange(true, std::memory_order_acq_rel)) return false;
    }
    complete_.store(true, std::memory_order_release);
    return true;
  }

  std::size_t winner() const { return winner_.load(std::memory_order_acquire); }
  bool complete() const { return complete_.load(std::memory_order_acquire); }

 private:
  std::vector<std::atomic<bool>> seen_one_;
  std::atomic<std::size_t> winner_{none};
  std::atomic<bool> complete_{false};
};

// Sleeps until somebody has won, all have arrived, or the context has ended.
template <class T, class Decides>
std::shared_ptr<const Tournament> play(const Context& context,
                                       const std::vector<Future<T>>& futures, Decides decides) {
  const auto alarm = std::make_shared<CancelSource>(with_cancel(context));
  const auto tournament = std::make_shared<Tournament>(futures.size());
  for (std::size_t i = 0; i < futures.size(); ++i) {
    // Latecomers find no alarm, and nothing of the caller's context is kept alive for them.
    futures[i].on_settled(
        [tournament, i, decides, bell = std::weak_ptr(alarm)](const Result<T>& outcome) {
          // Claiming comes first: who sees that all are there must see who has won.
          const bool won = decides(outcome) && tournament->claim(i);
          const bool last = tournament->arrive(i);
          if (!won && !last) return;
          if (const auto source = bell.lock()) source->cancel();
        });
  }
  const Context rest = alarm->context();
  while (!rest.done()) rest.sleep_for(std::chrono::hours(1));
  return tournament;
}

// What is left to do when a call has decided: after that, and not before.
template <class T>
void dismiss(const std::vector<Future<T>>& futures) {
  for (const auto& future : futures) future.cancel();
}

template <class T>
Result<std::vector<T>> judge_all(const Context& context, const std::vector<Future<T>>& futures,
                                 const Tournament& tournament) {
  // First whether all are there, then who has failed: in this order no failure is missed.
  bool all_there = tournament.complete();
  std::size_t failed = tournament.winner();
  if (failed == Tournament::none && !all_there) {
    // The context has ended. An input may have settled while its callback is still on its way.
    all_there = true;
    std::size_t leftmost = Tournament::none;
    for (std::size_t i = 0; i < futures.size(); ++i) {
      if (!futures[i].settled()) {
        all_there = false;
      } else if (leftmost == Tournament::none && !futures[i].await(context)) {
        leftmost = i;
      }
    }
    failed = tournament.winner();
    if (failed == Tournament::none) failed = leftmost;
  }
  if (failed != Tournament::none) {
    return std::unexpected(futures[failed].await(context).error());
  }
  if (!all_there) return std::unexpected(*context.error());
  std::vector<T> values;
  values.reserve(futures.size());
  for (const auto& future : futures) {
    auto outcome = future.await(context);
    if (!outcome) return std::unexpected(std::move(outcome).error());
    values.push_back(*std::move(outcome));
  }
  return values;
}

template <class T>
Result<T> judge_first(const Context& context, const std::vector<Future<T>>& futures,
                      const Tournament& tournament) {
  bool all_there = tournament.complete();
  if (const auto winner = tournament.winner(); winner != Tournament::none) {
    return futures[winner].await(context);
  }
  if (!all_there) {
    all_there = true;
    std::optional<Result<T>> success;
    for (const auto& future : futures) {
      if (!future.settled()) {
        all_there = false;
      } else if (!success) {
        if (auto outcome = future.await(context)) success.emplace(std::move(outcome));
      }
    }
    if (const auto winner = tournament.winner(); winner != Tournament::none) {
      return futures[winner].await(context);
    }
    if (success) return *std::move(success);
    if (!all_there) return std::unexpected(*context.error());
  }
  Error error = futures.front().await(context).error();
  for (std::size_t i = 1; i < futures.size(); ++i) {
    error.message += "; " + futures[i].await(context).error().message;
  }
  return std::unexpected(std::move(error));
}

}  // namespace detail

template <class T>
Result<std::vector<T>> all(const Context& context, std::vector<Future<T>> futures) {
  if (futures.empty()) return std::vector<T>();
  const auto tournament =
      detail::play(context, futures, [](const Result<T>& outcome) { return !outcome; });
  auto verdict = detail::judge_all(context, futures, *tournament);
  detail::dismiss(futures);
  return verdict;
}

template <class T>
Result<T> first(const Context& context, std::vector<Future<T>> futures) {
  if (futures.empty()) {
    return std::unexpected(Error{Errc::invalid_argument, "the first of no futures"});
  }
  const auto tournament =
      detail::play(context, futures, [](const Result<T>& outcome) { return outcome.has_value(); });
  auto verdict = detail::judge_first(context, futures, *tournament);
  detail::dismiss(futures);
  return verdict;
}

template <class T>
std::vector<Result<T>> wait_all(const Context& context, std::vector<Future<T>> futures) {
  if (futures.empty()) return {};
  detail::play(context, futures, [](const Result<T>&) { return false; });
  std::vector<Result<T>> outcomes;
  outcomes.reserve(futures.size());
  // Either all are there, or the context has ended: await() does not wait in either case.
  for (const auto& future : futures) outcomes.push_back(future.await(context));
  detail::dismiss(futures);
  return outcomes;
}

}  // namespace futures
