// The threads of this process as the kernel sees them. For the census and the watchdog.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

namespace workbook::threads {

using Clock = std::chrono::steady_clock;

// The system ids of all threads, ascending. The main thread's is the process id.
std::vector<int> list();

// One thread at one moment. Two equal sightings with state 'S': it has not run in between.
struct Sighting {
  char state = '?';            // 'R' running or ready, 'S' asleep, 'D' in the kernel, ...
  std::uint64_t switches = 0;  // how often it was taken off a processor so far

  friend bool operator==(const Sighting&, const Sighting&) = default;
};

// Empty when the thread has ended.
std::optional<Sighting> look(int tid);

// What a sleeping thread is waiting for.
struct Wait {
  enum class For {
    nothing,   // it is not waiting
    a_thread,  // another thread has to wake it, or `until` to come
    outside,   // a file, a socket, a process, or the kernel does not say
  };
  For what = For::outside;
  Clock::time_point until = Clock::time_point::max();  // never too early; may be too late
};
Wait wait_of(int tid);

// How often all threads but the excluded ones were taken off a processor, ended ones included.
// A few system calls and small files per excluded thread, however many threads there are.
std::uint64_t switches_of_all_but(std::span<const int> excluded);

// True when the process talks to somebody outside: has a child, or a socket other than `known`.
bool has_company();

// Time that counts against a limit: while threads were ready but the machine was busy with
// something else, time stands still. It runs at full speed when this process has all processors.
class EffectiveTime {
 public:
  EffectiveTime();
  // From now on, for these threads: what they have waited for before does not count.
  explicit EffectiveTime(std::span<const int> tids);

  // Adds what has passed since the last call, judged by these threads.
  void advance(std::span<const int> tids);
  // Lets the time since the last call go uncounted.
  void skip();

  Clock::duration passed() const { return passed_; }

 private:
  Clock::time_point last_ = Clock::now();
  Clock::duration used_;                   // processor time of the process at last_
  Clock::duration stolen_;                 // taken by the host of this virtual machine at last_
  std::map<int, Clock::duration> delays_;  // per thread at last_: time ready but not running
  bool knows_all_ = false;                 // delays_ has every thread there was at last_
  Clock::duration passed_ = Clock::duration(0);
};

}  // namespace workbook::threads
