// Right, and odd: each combinator is a future itself. The callbacks of the inputs settle it with
// the final answer, and the caller awaits that one.
#pragma once

#include <atomic>
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

namespace detail {

// Counts down and collects; the last one in writes the answer.
template <class T, class Answer>
struct Collector {
  Collector(std::size_t inputs, Resolver<Answer> writer)
      : slots(inputs), missing(inputs), answer(std::move(writer)) {}

  std::mutex mutex;
  std::vector<std::optional<Result<T>>> slots;
  std::size_t missing;
  Resolver<Answer> answer;
};

template <class T, class Answer, class OnOutcome>
auto combine(const std::vector<Future<T>>& futures, OnOutcome on_outcome) {
  auto [answer, writer] = make_future<Answer>();
  auto collector = std::make_shared<Collector<T, Answer>>(futures.size(), std::move(writer));
  std::size_t i = 0;
  for (const auto& future : futures) {
    future.on_settled([collector, on_outcome, i](const Result<T>& outcome) {
      bool last = false;
      {
        const std::lock_guard lock(collector->mutex);
        collector->slots[i].emplace(outcome);
        last = --collector->missing == 0;
      }
      on_outcome(*collector, outcome, last);
    });
    ++i;
  }
  return std::pair(std::move(answer), std::move(collector));
}

template <class T>
void cancel_all(const std::vector<Future<T>>& futures) {
  for (const auto& future : futures) future.cancel();
}

}  // namespace detail

template <class T>
Result<std::vector<T>> all(const Context& context, std::vector<Future<T>> futures) {
  if (futures.empty()) return std::vector<T>();
  using Values = std::vector<T>;
  auto [answer, collector] = detail::combine<T, Values>(
      futures, [](detail::Collector<T, Values>& so_far, const Result<T>& outcome, bool last) {
        if (!outcome) {
          so_far.answer.reject(outcome.error());
          return;
        }
        if (!last) return;
        Values values;
        for (auto& slot : so_far.slots) {
          if (!*slot) return;  // that failure has been told already, or is just being told
          values.push_back(**slot);
        }
        so_far.answer.resolve(std::move(values));
      });
  auto result = answer.await(context);
  detail::cancel_all(futures);
  return result;
}

template <class T>
Result<T> first(const Context& context, std::vector<Future<T>> futures) {
  if (futures.empty()) return std::unexpected(Error{Errc::invalid_argument, "no futures"});
  auto [answer, collector] = detail::combine<T, T>(
      futures, [](detail::Collector<T, T>& so_far, const Result<T>& outcome, bool last) {
        if (outcome) {
          so_far.answer.resolve(*outcome);
          return;
        }
        if (!last) return;
        std::string failures = "no success:";
        for (auto& slot : so_far.slots) {
          if (*slot) return;
          failures += " " + slot->error().message + ";";
        }
        so_far.answer.reject(Error{outcome.error().code, std::move(failures)});
      });
  auto result = answer.await(context);
  detail::cancel_all(futures);
  return result;
}

template <class T>
std::vector<Result<T>> wait_all(const Context& context, std::vector<Future<T>> futures) {
  // Awaiting one after the other is right here: nothing can end it early but the context, and under
  // a context that has ended await() still returns what is there.
  std::vector<Result<T>> results;
  for (const auto& future : futures) results.push_back(future.await(context));
  detail::cancel_all(futures);
  return results;
}

}  // namespace futures
