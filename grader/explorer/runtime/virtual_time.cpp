#include "virtual_time.hpp"

#include "failure.hpp"
#include "objects.hpp"

namespace explorer {
namespace {

constexpr int patience_before_time_passes = 4;
constexpr std::uint64_t idle_rounds_of_a_livelock = 20000;
constexpr Nanoseconds longest_tick = 10'000'000;
constexpr Nanoseconds longest_afterlife = 3600ull * 1'000'000'000;
constexpr std::uint64_t most_timers_after_body = 1000;

// It does not block, but what it does amounts to waiting.
bool only_waits(const Thread& thread) {
  return thread.patience > patience_before_time_passes || thread.restless > restless_run;
}

}  // namespace

void time_out(Thread& thread) {
  thread.state = ThreadState::runnable;
  thread.timed_out = true;
  thread.impatient = false;
}

void fire_timers() {
  for (int i = 0; i < runtime.thread_count; ++i) {
    Thread& thread = threads[i];
    if (thread.state == ThreadState::blocked && thread.timed && thread.deadline <= runtime.now)
      time_out(thread);
  }
}

bool advance_to_next_timer() {
  Nanoseconds next = never;
  for (int i = 0; i < runtime.thread_count; ++i)
    if (threads[i].state == ThreadState::blocked && threads[i].timed && threads[i].deadline < next)
      next = threads[i].deadline;
  if (next == never) return false;
  if (next > runtime.now) runtime.now = next;
  if (runtime.body_over && ++runtime.timers_after_body > most_timers_after_body &&
      runtime.now > runtime.body_over_at + longest_afterlife)
    fail(FailureKind::left_behind, "it is still running an hour (of virtual time) later");
  fire_timers();
  return true;
}

bool would_block(const Thread& thread) {
  const Object* lock = thread.op_state;  // its place may have gone to another object since
  return thread.op == Op::lock && lock && lock->address == address_of(thread.op_object) &&
         lock->owner >= 0 && lock->owner != thread.id;
}

void pass_time(Thread& current) {
  if (!only_waits(current)) return;
  for (int i = 0; i < runtime.thread_count; ++i)
    if (threads[i].state == ThreadState::runnable && &threads[i] != &current &&
        !only_waits(threads[i]) && !would_block(threads[i]))
      return;
  if (advance_to_next_timer()) return;
  if (current.patience <= patience_before_time_passes) return;  // it may be working, after all
  ++runtime.idle_rounds;
  int doublings = static_cast<int>(runtime.idle_rounds / 4);
  Nanoseconds step = doublings < 14 ? 1000ull << doublings : longest_tick;
  runtime.now += step;
  if (runtime.idle_rounds > idle_rounds_of_a_livelock)
    fail(FailureKind::livelock, "nothing has changed in its last %llu looks",
         static_cast<unsigned long long>(idle_rounds_of_a_livelock));
}

}  // namespace explorer
