// expect: passed
// What one may do in namespace std, and comparisons of one's own types, macros that are taken back.
#pragma once
#include <compare>
#include <functional>
#include <string>
#include <system_error>
#include <unordered_set>

#include "runtime/channel.hpp"
#include "runtime/spawn.hpp"

namespace futures {
enum class Trouble { none = 0, thrown };
struct Ticket {
  int number = 0;
  friend bool operator==(const Ticket&, const Ticket&) = default;
  auto operator<=>(const Ticket& other) const { return number <=> other.number; }
};
template <class T>
struct Boxed {
  T value;
};
template <class T>
bool operator==(const Boxed<T>& a, const Boxed<T>& b) {
  return a.value == b.value;
}
inline bool operator!=(const Ticket& a, int b) { return a.number != b; }
#define MAKES_AN_ERROR_CODE(name) \
  inline std::error_code make_error_code(name) { return {}; }
MAKES_AN_ERROR_CODE(Trouble)
#undef MAKES_AN_ERROR_CODE
}  // namespace futures
namespace std {
template <>
struct hash<futures::Ticket> {
  size_t operator()(const futures::Ticket& ticket) const noexcept {
    return hash<int>()(ticket.number);
  }
};
}  // namespace std
template <>
struct std::is_error_code_enum<futures::Trouble> : std::true_type {};

namespace futures {
_Pragma("GCC diagnostic push")
    _Pragma("GCC diagnostic ignored \"-Wshadow\"") inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  spawn([fn = std::move(fn), sender]() mutable {
    std::unordered_set<Ticket> tickets = {Ticket{1}};
    try {
      sender.send(fn());
    } catch (...) {
      tickets.clear();
    }
    sender.close();
  });
  return receiver;
}
_Pragma("GCC diagnostic pop")
}  // namespace futures
