// The state of the schedule that is running: its threads and everything they share.
//
// One thread runs at a time, so nothing here needs a lock. What a thread writes is seen by the
// next one because the hand-over (scheduler.cpp) goes through a futex.
#pragma once

#include <pthread.h>

#include "shared.hpp"

namespace explorer {

// How much of every other thread's past is known to happen before now.
struct VectorClock {
  std::uint32_t at[max_threads];

  void join(const VectorClock& other);
  void assign(const VectorClock& other);
  void clear() { fill_bytes(at, 0, sizeof at); }
  bool covers(int thread, std::uint32_t time) const { return at[thread] >= time; }
};

// Notices a loop that waits without blocking: the same place reads the same value again and again.
struct SpinDetector {
  struct Seen {
    Address where;
    std::uint64_t value;
    int times;
  };
  Seen seen[8];
  int next;
  bool spinning;

  void observe(Address where, std::uint64_t value);
  void progress();
};

struct Object;

struct Thread {
  int go;  // futex: 1 means it is this thread's turn
  int id;
  ThreadState state;
  bool detached, joined, has_handle, needs_real_join;

  WaitFor waits_for;
  const void* wait_object;
  bool timed, timed_out, impatient;  // impatient: may be scheduled as if its time were up
  Nanoseconds deadline;

  std::uint64_t priority;  // PCT and partial order sampling
  std::uint32_t operations;
  Op op;  // what it is about to do
  const void* op_object;
  Object* op_state;         // of a lock it is about to take
  std::uint32_t plain_run;  // memory accesses since its last visible operation
  int patience;             // yields in a row without anything else
  std::uint32_t restless;   // operations since it last waited
  SpinDetector spin;

  Address stack_low, stack_high, parked_at;
  pthread_t handle;
  void* (*function)(void*);
  void* argument;
  void* result;
  int destructor_rounds;
  int suppressed;  // depth of library functions whose formal races are known and harmless

  VectorClock clock;          // what happens before now
  VectorClock acquire_fence;  // what an acquire fence would add
  VectorClock release_fence;  // what a relaxed store after a release fence carries
  VectorClock view;           // clock, and what sequential consistency lets it see besides
};

struct Runtime {
  volatile bool on;
  std::uint32_t generation;  // of the schedule; stamps every lazily reset table
  int thread_count, alive;
  Thread* current;
  std::uint64_t steps, max_steps;
  Nanoseconds now;
  Nanoseconds slack;  // how far the clock may still run ahead of working threads
  std::uint64_t random;
  std::uint64_t run_length;
  std::uint64_t idle_rounds;
  std::uint64_t change_points[8];
  std::uint64_t lowest_priority;
  Strategy strategy;
  int pct_depth;
  int search_depth;
  int deviations;
  int rate_spurious, rate_weak, rate_early, rate_stale;  // per mille
  bool body_over;
  bool try_locks;  // somebody tries or times locks: then the moment before an unlock matters
  Nanoseconds body_over_at;
  std::uint64_t timers_after_body;
  VectorClock sc_all, sc_fences;  // see atomics.cpp
};

extern Runtime runtime;
extern Thread threads[max_threads];

// The thread that is executing, null outside a schedule and inside the runtime's own calls to libc.
extern __thread Thread* self __attribute__((tls_model("initial-exec")));

inline bool active() { return self != nullptr && runtime.on; }

// While alive, everything the thread calls goes to the real libc.
class Outside {
 public:
  Outside() : saved_(self) { self = nullptr; }
  ~Outside() { self = saved_; }
  Outside(const Outside&) = delete;
  Outside& operator=(const Outside&) = delete;

 private:
  Thread* saved_;
};

inline void VectorClock::join(const VectorClock& other) {
  for (int i = 0; i < runtime.thread_count; ++i)
    if (other.at[i] > at[i]) at[i] = other.at[i];
}

inline void VectorClock::assign(const VectorClock& other) {
  for (int i = 0; i < max_threads; ++i) at[i] = other.at[i];  // also those not started yet
}

// Starts a new epoch: what the thread does from here on is not covered by what it gave out before.
inline void tick(Thread* thread) { ++thread->clock.at[thread->id]; }

// A number that changes when the program's path does; replay compares it.
void mix_into_path(std::uint64_t value);

}  // namespace explorer
