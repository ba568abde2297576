// What the parts of task 9's suite share.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "combinators.hpp"
#include "future.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"

namespace combinators_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them
using namespace std::chrono_literals;

inline const Context forever = Context::background();

// Futures to combine, and the right to settle each of them.
template <class T>
struct Inputs {
  explicit Inputs(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      auto [future, resolver] = make_future<T>();
      futures.push_back(std::move(future));
      resolvers.push_back(std::move(resolver));
    }
  }

  bool resolve(std::size_t i, T value) { return resolvers[i].resolve(std::move(value)); }
  bool fail(std::size_t i, Errc code, std::string message = "") {
    return resolvers[i].reject(Error{code, std::move(message)});
  }
  // Whether the producer of input i was asked to stop, now or within the time that must do.
  bool cancelled(std::size_t i) const {
    return workbook::eventually([&] { return resolvers[i].context().done(); }, 10s);
  }

  std::vector<Future<T>> futures;
  std::vector<Resolver<T>> resolvers;
};

// "value 7" or "error cancelled", for expectations and failure messages.
template <class T>
std::string show(const Result<T>& result) {
  if (!result) return "error " + result.error().code.message();
  return "value " + std::to_string(*result);
}

template <class T>
std::string show(const Result<std::vector<T>>& result) {
  if (!result) return "error " + result.error().code.message();
  std::string text = "values";
  for (const auto& value : *result) text += " " + std::to_string(value);
  return text;
}

template <class T>
std::string show(const std::vector<Result<T>>& results) {
  std::string text;
  for (const auto& result : results) text += (text.empty() ? "" : ", ") + show(result);
  return text;
}

// A context that has ended.
inline Context ended() {
  auto source = with_cancel(forever);
  source.cancel();
  return source.context();
}

}  // namespace combinators_suite
