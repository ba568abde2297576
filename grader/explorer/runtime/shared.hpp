// What the process that explores tells the process that watches: one block of shared memory.
//
// The parent forks a child, the child runs schedules and writes here as it goes, so that even a
// crash leaves the decisions, the trace and the failure behind. Plain data only.
#pragma once

#include "base.hpp"

namespace explorer {

inline constexpr int max_threads = 32;          // per schedule, finished ones included
inline constexpr int max_decisions = 4096;      // non-default choices of one schedule
inline constexpr int max_search_depth = 40000;  // choice points on one path of the search
inline constexpr int max_events = 30000;        // steps kept for the story
inline constexpr int max_stack_depth = 24;      // frames kept per step
inline constexpr int max_objects = 2048;        // objects with a name in the story
inline constexpr int shared_object_slots = 1 << 14;
inline constexpr int max_discovered = 1 << 12;

enum class FailureKind : std::uint32_t {
  none,
  deadlock,           // a cycle of threads, each waiting for the next
  lost_wakeup,        // a thread waits, nobody is left who could wake it
  data_race,          // two unordered accesses, one of them a write
  use_after_free,     // an access to memory that was freed
  use_after_return,   // an access to the frame of a function that has returned
  livelock,           // threads run for ever and nothing changes
  left_behind,        // the test body is over, a thread is still waiting or running
  misuse,             // a call the standard forbids: unlock by the wrong thread and the like
  escaped_exception,  // an exception left a thread's function
  check_failed,       // an assertion of the test
  crash,              // a signal
  cannot_explore,     // the program does what the runtime can't control: says nothing about it
  nondeterminism,     // the same decisions led elsewhere
};

// Every way in which a schedule can differ from the default one.
enum class Choice : std::uint8_t {
  run,           // which thread runs next
  notify,        // which waiter a notify_one wakes
  spurious,      // a condition variable's wait returns for no reason
  weak_failure,  // a weak compare-exchange fails though the values were equal
  early,         // a time limit runs out before the other threads got far
  stale_read,    // an atomic load returns an older value that its memory order allows
};

// One non-default choice. Thread and operation number instead of a global step: that way the
// others keep their meaning when one is taken away.
struct Decision {
  std::uint32_t operation;
  std::uint16_t value;
  std::uint8_t thread;
  Choice kind;
};

enum class Op : std::uint8_t {
  none,
  start,
  create,
  exit,
  join,
  lock,
  try_lock,
  unlock,
  timed_lock,
  wait,
  wake,
  notify_one,
  notify_all,
  destroy_condition,
  read_lock,
  write_lock,
  rw_unlock,
  once,
  once_done,
  futex_wait,
  futex_woke,
  futex_wake,
  semaphore_wait,
  semaphore_post,
  yield,
  sleep,
  clock,
  load,
  store,
  exchange,
  compare_exchange,
  fence,
  read,
  write,
  free,
  finish,
  crash,
  check,
};

enum class ObjectKind : std::uint8_t {
  unknown,
  mutex,
  condition,
  rwlock,
  once,
  atomic,
  semaphore,
  thread,
  exception,
};

struct Event {
  std::uint32_t step;
  std::uint16_t object;  // number of the object, 0: none
  std::uint8_t thread;
  Op op;
  std::uint8_t size;   // bytes of a memory access or an atomic
  std::uint8_t flags;  // see EventFlag
  std::uint8_t depth;  // frames in stack
  std::uint8_t other;  // a second thread: created, joined, woken
  std::int64_t value;  // depends on op: the value stored, how many were woken, ...
  Nanoseconds time;    // virtual
  Address address;
  Address stack[max_stack_depth];  // return addresses, innermost first
};

enum EventFlag : std::uint8_t {
  flag_failed = 1,     // try_lock found it taken, the compare failed
  flag_timed = 2,      // a wait with a time limit
  flag_timed_out = 4,  // the wait ended because of it
  flag_spurious = 8,   // a wake-up nobody asked for, a weak failure
  flag_stale = 16,     // an older value
  flag_slept = 32,     // the wait really blocked
};

enum class ThreadState : std::uint8_t { unused, runnable, blocked, finished };
enum class WaitFor : std::uint8_t {
  nothing,
  mutex,
  condition,
  rwlock,
  once,
  futex,
  semaphore,
  sleep,
  join,
  end
};

// How things stood when the schedule failed.
struct ThreadReport {
  ThreadState state;
  WaitFor waits_for;
  Op op;
  std::uint8_t detached;
  std::uint16_t object;  // what it waits for
  std::int16_t holder;   // thread that holds or would end it, -1: none or many
  Nanoseconds deadline;
};

struct ObjectReport {
  Address address;
  ObjectKind kind;
  std::int16_t owner;
};

// One of the two sides of a race.
struct Access {
  Address pc;
  Address address;
  std::uint32_t step;
  std::uint32_t size;
  std::uint8_t thread;
  bool write;
  bool atomic;
  bool frees;
};

struct Failure {
  FailureKind kind;
  std::uint8_t thread;
  std::uint16_t object;
  bool body_over;  // the test body had returned
  int signal;
  Access now, before;  // data race, use after free
  char file[256];      // check_failed: where the assertion is
  int line;
  char message[4096];
};

enum class Strategy : std::uint8_t { script, random_walk, pct, partial_order, search };

// How the next schedules are to be made.
struct Plan {
  Strategy strategy;
  bool mix;                      // rotate random_walk, partial_order and pct by seed
  bool values;                   // allow the choices other than `run` and `notify`
  bool trace;                    // keep events
  int depth;                     // PCT: number of ordering constraints
  int bound;                     // search: deviations from the default schedule
  std::uint64_t expected_steps;  // PCT: length of a schedule
  std::uint64_t max_steps;
  Address watch_begin, watch_end;  // memory whose plain accesses are traced too
};

struct SearchNode {
  std::uint16_t chosen;
  std::uint16_t options;
  std::uint32_t fingerprint;  // where the choice was made, to notice a program that differs
};

struct Shared {
  // Progress, read by the watchdog.
  volatile std::uint64_t seed;
  volatile std::uint64_t schedules;
  volatile std::uint64_t heartbeat;
  volatile std::uint64_t last_steps, longest, total_steps;

  bool orderly;             // the child ended where it should
  bool skipped;             // the test said that it does not apply: nothing to explore
  char observations[4096];  // what the test said it saw: question\x1fanswer\x1e...

  Plan plan;
  Decision script[max_decisions];
  int script_size;

  Failure failure;
  Decision decisions[max_decisions];
  int decision_count;
  std::uint64_t path_hash;

  // Depth-first search: the path so far, kept over children.
  SearchNode path[max_search_depth];
  int path_size;
  bool exhausted;
  // Objects that more than one thread uses, by identity (see heap.hpp). The set stays as it is
  // during a pass, so that a path means the same throughout; what is new waits in `discovered`.
  Address shared_objects[shared_object_slots];
  Address discovered[max_discovered];
  int discovered_count;

  // The story.
  int event_count;
  Event events[max_events];
  int thread_count;
  ThreadReport threads[max_threads];
  int object_count;
  ObjectReport objects[max_objects];
};

extern Shared* shared;

}  // namespace explorer
