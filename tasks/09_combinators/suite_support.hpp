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
using workbook::ended;
using workbook::forever;
using workbook::show;

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

}  // namespace combinators_suite
