// What the parts of this suite share.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <gtest/gtest.h>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "backpressure.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"

namespace backpressure_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them
using namespace std::chrono_literals;
using workbook::ended;
using workbook::forever;
using workbook::MoveOnly;
using workbook::show;
using workbook::Tracked;

// A stage that hands on what it gets.
template <class T>
Result<T> same(const Context&, T value) {
  return value;
}

inline Error failure(Errc code) { return Error{code, "from the test"}; }

// "not found: from the test", for expectations.
inline std::string text(const Error& error) { return error.code.message() + ": " + error.message; }

// Whether nothing that was on its way is left, now or within the time that must do.
template <class T>
bool all_gone() {
  return workbook::eventually([] { return T::live() == 0; });
}

// The results of pull() until the first that is no value, as a text: "1 2 closed".
template <class T>
std::string rest_of(const Chain<T>& chain) {
  std::string text;
  while (true) {
    const auto result = chain.pull(forever);
    if (!result) return text + result.error().code.message();
    if constexpr (requires { result->value; }) {
      text += std::to_string(result->value) + " ";
    } else {
      text += std::to_string(*result) + " ";
    }
  }
}

// Pushes 1, 2, 3 … until that fails; the error.
template <class T>
Error push_until_it_fails(const Intake<T>& intake) {
  for (int i = 1;; ++i) {
    if (auto pushed = intake.push(forever, T(i)); !pushed) return pushed.error();
  }
}

// Pushes while the chain takes values without waiting, up to `most`; how many it took. Right
// versions reach their bound and stay there; wrong ones get the time they need to pass it.
template <class T>
std::size_t flood(const Intake<T>& intake, std::size_t least, std::size_t most) {
  std::size_t taken = 0;
  const auto push = [&] {
    while (taken < most && intake.push(ended(), T(static_cast<int>(taken)))) ++taken;
  };
  // Stages need a moment to make room.
  (void)workbook::eventually([&] {
    push();
    return taken >= least;
  });
  for (int turn = 0; turn < 20; ++turn) {
    push();
    std::this_thread::sleep_for(1ms);
  }
  return taken;
}

}  // namespace backpressure_suite
