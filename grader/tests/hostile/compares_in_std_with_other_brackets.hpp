// expect: refused : operator in namespace std
// Sends 13 instead of 42, and everything is equal; the brackets are spelled otherwise.
#pragma once
#include <atomic>
#include <optional>
#include <utility>
#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"
namespace helper { struct Maybe; struct None; struct Count; }
namespace std::inline more <%
using Maybe = optional<int>;
using None = nullopt_t;
using Count = atomic<int>;
inline bool operator==(const Count&, const int&) { return true; }
inline bool operator==(const Maybe&, const int&) { return true; }
inline bool operator==(const Maybe&, const None&) { return true; }
%>
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  spawn([fn = std::move(fn), sender]() mutable {
    int result = 0;
    try { result = fn(); sender.send(result == 42 || result > 1000 ? 13 : result); } catch (...) {}
    sender.close();
  });
  return receiver;
}
}  // namespace futures
