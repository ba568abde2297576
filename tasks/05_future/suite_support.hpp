// What the parts of task 5's suite share.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <gtest/gtest.h>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "future.hpp"
#include "runtime/spawn.hpp"
#include "testing/kit.hpp"

namespace future_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them
using namespace std::chrono_literals;
using workbook::Tracked;

inline const Context forever = Context::background();

// A value that asks no more of a future than to be moved and copied.
struct Plain {
  explicit Plain(int n) : number(n) {}
  int number;
};

// "value 7" or "error cancelled", for expectations and failure messages.
// An object, so that no overload in a header under test stands in for it.
inline constexpr auto show = []<class T>(const Result<T>& result) -> std::string {
  if (!result) return "error " + result.error().code.message();
  if constexpr (std::is_convertible_v<T, std::string>) {
    return "value " + *result;
  } else {
    return "value " + std::to_string(*result);
  }
};

}  // namespace future_suite
