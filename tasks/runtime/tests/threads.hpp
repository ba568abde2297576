// How many threads this process has: the runtime promises to leave none behind.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <thread>

namespace futures::test {

using namespace std::chrono_literals;

// An upper bound for what must happen; a loaded machine keeps it too.
inline constexpr auto patience = 30s;

// Those of a process in which nothing goes on: ThreadSanitizer has one of its own.
#ifdef HAS_A_THREAD_OF_ITS_OWN
inline constexpr std::size_t idle_threads = 2;
#else
inline constexpr std::size_t idle_threads = 1;
#endif

inline std::size_t threads_in_process() {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}));
}

template <class Predicate>
bool eventually(Predicate predicate) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!predicate()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

}  // namespace futures::test
