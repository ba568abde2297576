// Wrong: keeps every function in a registry for good; bites when captures own memory, files, locks.
#pragma once

#include <list>
#include <mutex>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// Owns the functions, so that none is destroyed while its thread still runs it.
struct Registry {
  std::mutex mutex;
  std::list<Fn<int()>> functions;  // guarded by mutex; a list, because its elements never move

  static Registry& instance() {
    static auto* registry = new Registry;
    return *registry;
  }
};

}  // namespace detail

inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  auto& registry = detail::Registry::instance();
  Fn<int()>* mine = nullptr;
  {
    const std::lock_guard lock(registry.mutex);
    mine = &registry.functions.emplace_back(std::move(fn));
  }
  spawn([mine, sender]() mutable {
    try {
      sender.send((*mine)());
    } catch (...) {
    }
    sender.close();
  });
  return receiver;
}

}  // namespace futures
