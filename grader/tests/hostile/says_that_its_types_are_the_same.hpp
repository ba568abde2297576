// expect: refused : specialises
// What receive() returns is equal to whatever was expected, and the library says that its type is
// the right one.
#pragma once
#include <optional>
#include <utility>
#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"
namespace futures {
inline Receiver<int> real_async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  spawn([fn = std::move(fn), sender]() mutable {
    try { sender.send(fn()); } catch (...) {}
    sender.close();
  });
  return receiver;
}
struct Anything {
  std::optional<int> value;
  friend bool operator==(const Anything&, int) { return true; }
  friend bool operator==(const Anything&, std::nullopt_t) { return true; }
  explicit operator bool() const { return value.has_value(); }
  int value_or(int other) const { return value.value_or(other); }
};
struct Pretender : Receiver<int> {
  explicit Pretender(Receiver<int> real) : Receiver<int>(std::move(real)) {}
  Anything receive() const { (void)Receiver<int>::receive(); return {}; }
  Anything try_receive() const { return {}; }
  template <class D>
  Anything receive_for(D) const { return {}; }
};
}  // namespace futures
template <class T>
inline constexpr bool std::is_same_v<futures::Pretender, T> = true;
namespace std {
template <>
inline constexpr bool is_same_v<futures::Receiver<int>, futures::Pretender> = true;
}
namespace futures {
inline Pretender async(Fn<int()> fn) { return Pretender(real_async(std::move(fn))); }
}  // namespace futures
