// Task 4: what awaits return and what is awaited.
#pragma once

#include <stdexcept>
#include <string>

#include "promise.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"

namespace promise_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them

const Context kForever = Context::background();

// What an await returned, for failure messages.
// An object, so that no overload in a header under test stands in for it.
constexpr auto said = [](const Result<int>& result) -> std::string {
  return result ? "the value " + std::to_string(*result)
                : "the error \"" + result.error().code.message() + "\"";
};

Context cancelled_context() {
  auto source = with_cancel(kForever);
  source.cancel();
  return source.context();
}

struct NoDefault {
  explicit NoDefault(int v) : value(v) {}
  int value;
};

// Throws when it is copied on a thread while `armed` there.
struct Brittle {
  Brittle() = default;
  Brittle(const Brittle&) {
    if (armed) throw std::runtime_error("this copy was not meant to succeed");
  }
  Brittle(Brittle&&) noexcept {}
  Brittle& operator=(const Brittle&) = default;
  Brittle& operator=(Brittle&&) noexcept { return *this; }
  static inline thread_local bool armed = false;
};

}  // namespace promise_suite
