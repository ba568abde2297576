// spawn(): what `go f()` is in Go, on a thread of the operating system.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <mutex>
#include <source_location>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "error.hpp"

namespace futures {

namespace detail {

// Shared by all spawned threads. Never destroyed: a detached thread may outlive main().
struct SpawnRegistry {
  std::atomic<std::size_t> alive{0};
  std::mutex mutex;
  std::vector<std::string> escaped;  // guarded by mutex

  static SpawnRegistry& instance() {
    static auto* registry = new SpawnRegistry;
    return *registry;
  }
};

// Counts one thread for as long as it lives.
struct SpawnCount {
  SpawnCount() { SpawnRegistry::instance().alive.fetch_add(1, std::memory_order_relaxed); }
  SpawnCount(SpawnCount&& other) noexcept : counts_(std::exchange(other.counts_, false)) {}
  SpawnCount& operator=(SpawnCount&&) = delete;
  ~SpawnCount() {
    if (counts_) SpawnRegistry::instance().alive.fetch_sub(1, std::memory_order_release);
  }

 private:
  bool counts_ = true;
};

inline void report_escaped_exception(const std::source_location& where) {
  const Error error = error_from_current_exception();
  std::string line = std::string("an exception escaped from a spawned function: ") + error.message +
                     " (spawned at " + where.file_name() + ":" + std::to_string(where.line()) + ")";
  std::fprintf(stderr, "%s\n", line.c_str());
  auto& registry = SpawnRegistry::instance();
  const std::lock_guard lock(registry.mutex);
  registry.escaped.push_back(std::move(line));
}

}  // namespace detail

// Runs fn once on a new detached thread. A thread costs tens of microseconds to start and a stack
// to keep, so spawn what works, not what merely waits.
//
// fn and its captures are destroyed on that thread, before it counts as ended. An exception that
// escapes from fn ends that thread alone: it is printed with the place that called spawn() and kept
// for take_escaped_exceptions(). Throws std::system_error when the system has no thread to give; fn
// has then not run and is destroyed.
inline void spawn(Fn<void()> fn, std::source_location where = std::source_location::current()) {
  std::thread([fn = std::move(fn), where, count = detail::SpawnCount{}]() mutable {
    // Moved into this scope, so that the captures are gone before the count goes down: whoever sees
    // spawned_threads() == 0 also sees everything the captures did when they were destroyed.
    Fn<void()> task = std::move(fn);
    try {
      task();
    } catch (...) {
      detail::report_escaped_exception(where);
    }
  }).detach();
}

// How many spawned threads have not ended yet.
inline std::size_t spawned_threads() {
  return detail::SpawnRegistry::instance().alive.load(std::memory_order_acquire);
}

// The exceptions that escaped from spawned functions since the last call, oldest first.
inline std::vector<std::string> take_escaped_exceptions() {
  auto& registry = detail::SpawnRegistry::instance();
  const std::lock_guard lock(registry.mutex);
  return std::exchange(registry.escaped, {});
}

}  // namespace futures
