// Errors as values: what every future, promise and context of this workbook hands around.
#pragma once

#include <cstdint>
#include <exception>
#include <expected>
#include <functional>
#include <source_location>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>

namespace futures {

// Why something did not produce a value. Converts to std::error_code by itself, so that
// `error.code == Errc::cancelled` reads as it should.
enum class Errc : std::uint8_t {
  cancelled = 1,      // somebody called cancel(), or a CancelSource went out of scope
  deadline_exceeded,  // a deadline passed
  broken_promise,     // the writing side went away without settling
  already_settled,    // a second, different outcome was offered
  invalid_argument,   // the call makes no sense as it stands
  closed,             // the channel is closed and drained
  exception,          // a caller's function threw; the message is what() of the exception
  unavailable,        // a service or resource could not be reached; trying later may help
  not_found,          // there is no such thing
  corrupt,            // stored data is torn or was written by something else
  service_error,      // a service answered, and its answer is an error
  lease_lost,         // what was leased is not ours any more; somebody else may have it by now
};

}  // namespace futures

template <>
struct std::is_error_code_enum<futures::Errc> : std::true_type {};

namespace futures {

namespace detail {

class ErrcCategory final : public std::error_category {
 public:
  const char* name() const noexcept override { return "futures"; }
  std::string message(int value) const override {
    switch (static_cast<Errc>(value)) {
      case Errc::cancelled:
        return "cancelled";
      case Errc::deadline_exceeded:
        return "deadline exceeded";
      case Errc::broken_promise:
        return "broken promise";
      case Errc::already_settled:
        return "already settled";
      case Errc::invalid_argument:
        return "invalid argument";
      case Errc::closed:
        return "closed";
      case Errc::exception:
        return "exception";
      case Errc::unavailable:
        return "unavailable";
      case Errc::not_found:
        return "not found";
      case Errc::corrupt:
        return "corrupt";
      case Errc::service_error:
        return "service error";
      case Errc::lease_lost:
        return "lease lost";
    }
    return "unknown error " + std::to_string(value);
  }
};

}  // namespace detail

inline std::error_code make_error_code(Errc code) noexcept {
  // Never destroyed: a detached thread may still compare codes while main() returns.
  static const auto* category = new detail::ErrcCategory;
  return {static_cast<int>(code), *category};
}

// An error is a plain value: copy it, compare it, send it to another thread. No exception_ptr
// crosses threads in this workbook: its reference count lives inside the standard library where
// ThreadSanitizer can't see it, and right programs would be reported as racing.
struct Error {
  std::error_code code;
  std::string message;

  friend bool operator==(const Error&, const Error&) = default;
};

template <class T>
using Result = std::expected<T, Error>;

// The type of every function that is handed to a future: may hold move-only captures, is called
// at most once unless a comment says otherwise.
template <class Signature>
using Fn = std::move_only_function<Signature>;

// Turns the exception being handled into an Error with code Errc::exception. Call it inside a
// catch block, at the boundary of a thread: `catch (...) { return error_from_current_exception();
// }`. Things that are no std::exception (`throw 42`) become an Error too.
inline Error error_from_current_exception() {
  try {
    throw;
  } catch (const std::exception& e) {
    return Error{Errc::exception, e.what()};
  } catch (...) {
    return Error{Errc::exception, "something that is not a std::exception was thrown"};
  }
}

// What the body of an untouched exercise throws.
struct NotImplemented : std::logic_error {
  using std::logic_error::logic_error;
};

[[noreturn]] inline void not_implemented(
    std::source_location where = std::source_location::current()) {
  std::string file = where.file_name();
  file.erase(0, file.find_last_of('/') + 1);
  throw NotImplemented("not implemented yet: " + std::string(where.function_name()) + ", " + file +
                       ":" + std::to_string(where.line()));
}

}  // namespace futures
