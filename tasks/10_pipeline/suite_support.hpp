// What the parts of task 10's suite share.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "future.hpp"
#include "pipeline.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"

namespace pipeline_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them
using namespace std::chrono_literals;
using workbook::ended;
using workbook::eventually;
using workbook::forever;
using workbook::show;
using workbook::Tracked;

// A pending future, and the right to settle it.
template <class T>
struct Source {
  Source() : Source(make_future<T>()) {}
  explicit Source(std::pair<Future<T>, Resolver<T>> ends)
      : future(std::move(ends.first)), resolver(std::move(ends.second)) {}

  bool resolve(T value) { return resolver.resolve(std::move(value)); }
  bool fail(Errc code, std::string message = "") {
    return resolver.reject(Error{code, std::move(message)});
  }
  // Whether the producer was asked to stop, now or within the time that must do.
  bool cancelled() const {
    return eventually([&] { return resolver.context().done(); });
  }

  Future<T> future;
  Resolver<T> resolver;
};

template <class T>
Future<T> ready(T value) {
  auto [future, resolver] = make_future<T>();
  resolver.resolve(std::move(value));
  return future;
}

template <class T>
Future<T> failed(Errc code, std::string message = "") {
  auto [future, resolver] = make_future<T>();
  resolver.reject(Error{code, std::move(message)});
  return future;
}

// The outcome as show() says it, or "nothing" when there is none within the time that must do.
template <class T>
std::string outcome(const Future<T>& future) {
  if (!eventually([&] { return future.settled(); })) return "nothing";
  return show(future.await(forever));
}

inline Result<int> plus_one(int value) { return value + 1; }

// One of the three functions, for tests that say the same of all.
struct Kind {
  const char* name;
  // A stage whose function calls `called` and then gives 7.
  Future<int> (*stage)(const Context&, const Future<int>&, Fn<void()> called);
  // Settles the source such that the function is due / such that it never will be.
  void (*call_for)(Source<int>&);
  void (*pass_by)(Source<int>&);
};

inline const Kind a_then{
    "then",
    [](const Context& context, const Future<int>& future, Fn<void()> called) {
      return then<int>(context, future, [called = std::move(called)](const Context&, int) mutable {
        called();
        return ready(7);
      });
    },
    [](Source<int>& source) { source.resolve(1); },
    [](Source<int>& source) { source.fail(Errc::not_found); }};

inline const Kind a_map{"map",
                        [](const Context& context, const Future<int>& future, Fn<void()> called) {
                          return map<int>(context, future,
                                          [called = std::move(called)](int) mutable -> Result<int> {
                                            called();
                                            return 7;
                                          });
                        },
                        [](Source<int>& source) { source.resolve(1); },
                        [](Source<int>& source) { source.fail(Errc::not_found); }};

inline const Kind a_recover{
    "recover",
    [](const Context& context, const Future<int>& future, Fn<void()> called) {
      return recover<int>(context, future,
                          [called = std::move(called)](const Error&) mutable -> Result<int> {
                            called();
                            return 7;
                          });
    },
    [](Source<int>& source) { source.fail(Errc::not_found); },
    [](Source<int>& source) { source.resolve(1); }};

inline const std::array<Kind, 3> kinds{a_then, a_map, a_recover};

// When this returns, whoever was told of an outcome of `future` before has had a chance to act.
inline void let_others_act(const Future<int>& future) {
  const auto behind_them = recover<int>(forever, map<int>(forever, future, plus_one),
                                        [](const Error&) -> Result<int> { return 0; });
  (void)outcome(behind_them);
}

}  // namespace pipeline_suite
