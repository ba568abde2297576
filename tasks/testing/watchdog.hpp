// Ends a test that would never end, and says where each thread is. For main().
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace workbook {

// A test hangs when
// - every thread is asleep and none has run for three seconds, so that nothing can wake them any
//   more (ten seconds when one of them waits for something outside of this process, or for a point
//   in time that is near), or
// - it has been running for `limit` of effective time: time in which a busy machine keeps its
//   threads from running does not count, nor does time spent in eventually().
// Wall-clock time alone never decides.
//
// On a hang the stacks of all threads go to the result channel and to stderr, and the process ends
// with status 86. It ends with 87, and the result is inconclusive, when the machine let a test run
// so little that there is nothing to decide on.
class Watchdog {
 public:
  // Starts the watching thread; call once, from main(), before the first test. That thread and the
  // others there are by then (a sanitizer's) are the process's own and are never counted as a
  // test's.
  static void start(std::chrono::seconds limit);

  // Between these two calls one test is watched.
  static void test_begins(const std::string& name);
  static void test_ends();

  // The test that is being watched, empty when there is none.
  static std::string current_test();

  // The threads that do not belong to any test.
  static const std::vector<int>& own_threads();
};

inline constexpr int hang_status = 86;
inline constexpr int starved_status = 87;

}  // namespace workbook
