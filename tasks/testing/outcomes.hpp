// What tests say about results, and the two contexts that most of them need.
#pragma once

#include <chrono>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <vector>

#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace workbook {

// Never cancelled, no deadline.
inline const futures::Context forever = futures::Context::background();

// A context that has ended: cancelled.
inline futures::Context ended() {
  auto source = futures::with_cancel(forever);
  source.cancel();
  return source.context();
}

// A context that has ended because somebody said why.
inline futures::Context ended(const futures::Error& why) {
  auto source = futures::with_cancel(forever);
  source.cancel(why);
  return source.context();
}

// A context that ended because somebody said why, and whose deadline has passed since. A context
// ends once, and for one reason: whoever goes by the deadline instead tells another one.
inline futures::Context ended_before_its_deadline(const futures::Error& why) {
  while (true) {
    auto source = futures::with_timeout(forever, std::chrono::milliseconds(20));
    source.cancel(why);
    const auto context = source.context();
    std::this_thread::sleep_until(*context.deadline());
    if (*context.error() == why) return context;  // or the deadline was faster
  }
}

// Errors that belong to whoever made them, each with a code that an implementation has uses of its
// own for, or with a text that could be taken for none: all have to arrive as they are.
inline std::vector<futures::Error> errors_of_all_kinds() {
  using futures::Errc;
  using std::string_literals::operator""s;
  std::vector<futures::Error> errors;
  for (const auto code :
       {Errc::cancelled, Errc::deadline_exceeded, Errc::broken_promise, Errc::already_settled,
        Errc::invalid_argument, Errc::closed, Errc::exception, Errc::unavailable, Errc::not_found,
        Errc::corrupt, Errc::service_error, Errc::lease_lost}) {
    errors.push_back({code, "of the caller's own"});
    errors.push_back({code, ""});
  }
  errors.push_back({Errc::unavailable, "with a zero\0 inside"s});
  errors.push_back({std::make_error_code(std::errc::no_space_on_device), ""});
  errors.push_back({std::error_code(), "a code that says nothing is wrong"});
  errors.push_back({});  // equal to Error{}, with which some say that there is none
  errors.push_back({Errc::unavailable, std::string(5000, 'x')});
  return errors;
}

namespace detail {

// A text in quotes, a number, a type with a number in its member `value`; nothing for others.
template <class T>
std::string show_value(const T& value) {
  if constexpr (std::is_convertible_v<const T&, std::string>) {
    return '"' + std::string(value) + '"';
  } else if constexpr (requires { std::to_string(value); }) {
    return std::to_string(value);
  } else if constexpr (requires { std::to_string(value.value); }) {
    return std::to_string(value.value);
  } else {
    return "";
  }
}

}  // namespace detail

// `value 7`, `error cancelled`: for expectations and failure messages. An error's message is left
// out, so that texts can be compared.
//
// An object, not a function: overloads in a header under test, found by their arguments' types, are
// no match for it.
struct Show {
  template <class T>
  std::string operator()(const futures::Result<T>& result) const {
    if (!result) return "error " + result.error().code.message();
    if constexpr (std::is_void_v<T>) {
      return "success";
    } else {
      return "value " + detail::show_value(*result);
    }
  }

  template <class T>
  std::string operator()(const futures::Result<std::vector<T>>& result) const {
    if (!result) return "error " + result.error().code.message();
    std::string text = "values";
    for (const auto& value : *result) text += " " + detail::show_value(value);
    return text;
  }

  template <class T>
  std::string operator()(const std::vector<futures::Result<T>>& results) const {
    std::string text;
    for (const auto& result : results) text += (text.empty() ? "" : ", ") + (*this)(result);
    return text;
  }
};
inline constexpr Show show;

}  // namespace workbook
