#include "virtual_time.hpp"

#include "failure.hpp"
#include "objects.hpp"

namespace explorer {
namespace {

constexpr int patience_before_time_passes = 4;
constexpr std::uint64_t idle_rounds_of_a_livelock = 20000;
constexpr Nanoseconds shortest_tick = 1000;
constexpr Nanoseconds longest_tick = 10'000'000;  // when nobody waits for a time
constexpr std::uint64_t rounds_per_doubling = 2;
constexpr std::uint64_t most_doublings = 40;
constexpr Nanoseconds longest_afterlife = 3600ull * 1'000'000'000;
constexpr std::uint64_t most_timers_after_body = 1000;

// It does not block, but what it does amounts to waiting.
bool only_waits(const Thread& thread) {
  return thread.patience > patience_before_time_passes || thread.restless > restless_run;
}

// The earliest deadline of those that wait for one.
Nanoseconds next_timer() {
  Nanoseconds next = never;
  for (int i = 0; i < runtime.thread_count; ++i)
    if (threads[i].state == ThreadState::blocked && threads[i].timed && threads[i].deadline < next)
      next = threads[i].deadline;
  return next;
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
  const Nanoseconds next = next_timer();
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
  if (current.patience <= patience_before_time_passes) {  // it may be working, after all
    advance_to_next_timer();
    return;
  }
  // A look takes a moment, and only a long row of them as long as somebody else sleeps: who means
  // to look fifty times before it goes would be there for minutes.
  const std::uint64_t doublings = runtime.idle_rounds++ / rounds_per_doubling;
  Nanoseconds step = shortest_tick << (doublings < most_doublings ? doublings : most_doublings);
  const Nanoseconds next = next_timer();
  if (next <= runtime.now + step) {
    advance_to_next_timer();
    return;
  }
  if (next == never && step > longest_tick) step = longest_tick;
  runtime.now += step;
  if (next == never && runtime.idle_rounds > idle_rounds_of_a_livelock)
    fail(FailureKind::livelock, "nothing has changed in its last %llu looks",
         static_cast<unsigned long long>(idle_rounds_of_a_livelock));
}

}  // namespace explorer
