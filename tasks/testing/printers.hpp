// How a failed expectation shows errors, results and times: GoogleTest would print their bytes.
//
// Specialisations of the class that GoogleTest prints everything with, and no PrintTo beside the
// types: a header under test may have one of its own.
#pragma once

#include <chrono>
#include <expected>
#include <gtest/gtest.h>
#include <ostream>
#include <system_error>
#include <type_traits>

#include "runtime/error.hpp"

// "cancelled"; of other categories "No space left on device (generic 28)".
template <>
class testing::internal::UniversalPrinter<std::error_code> {
 public:
  static void Print(const std::error_code& code, std::ostream* out) {
    *out << code.message();
    if (code.category() == futures::make_error_code(futures::Errc::cancelled).category()) return;
    *out << " (" << code.category().name() << ' ' << code.value() << ')';
  }
};

template <>
class testing::internal::UniversalPrinter<futures::Errc> {
 public:
  static void Print(const futures::Errc& code, std::ostream* out) {
    UniversalPrint(make_error_code(code), out);
  }
};

// error unavailable, "the server is down"
template <>
class testing::internal::UniversalPrinter<futures::Error> {
 public:
  static void Print(const futures::Error& error, std::ostream* out) {
    *out << "error ";
    UniversalPrint(error.code, out);
    *out << ", ";
    UniversalPrint(error.message, out);
  }
};

template <>
class testing::internal::UniversalPrinter<std::unexpected<futures::Error>> {
 public:
  static void Print(const std::unexpected<futures::Error>& failure, std::ostream* out) {
    UniversalPrint(failure.error(), out);
  }
};

template <class T>
class testing::internal::UniversalPrinter<futures::Result<T>> {
 public:
  static void Print(const futures::Result<T>& result, std::ostream* out) {
    if (!result) {
      UniversalPrint(result.error(), out);
    } else if constexpr (std::is_void_v<T>) {
      *out << "success";
    } else {
      *out << "value ";
      UniversalPrint(*result, out);
    }
  }
};

// 1.5 ms; 2.25 s
template <class Number, class Period>
class testing::internal::UniversalPrinter<std::chrono::duration<Number, Period>> {
 public:
  static void Print(const std::chrono::duration<Number, Period>& time, std::ostream* out) {
    const double seconds = std::chrono::duration<double>(time).count();
    const bool short_one = seconds < 1 && seconds > -1;
    *out << PrintToString(short_one ? 1000 * seconds : seconds) << (short_one ? " ms" : " s");
  }
};

// in 1.5 ms; 3 ms ago. Of two that are compared, one is looked at a little later.
template <class Clock, class Duration>
  requires requires { Clock::now(); }
class testing::internal::UniversalPrinter<std::chrono::time_point<Clock, Duration>> {
 public:
  static void Print(const std::chrono::time_point<Clock, Duration>& time, std::ostream* out) {
    const auto ahead = time - Clock::now();
    *out << (ahead.count() < 0 ? "" : "in ");
    UniversalPrint(ahead.count() < 0 ? -ahead : ahead, out);
    *out << (ahead.count() < 0 ? " ago" : "");
  }
};
