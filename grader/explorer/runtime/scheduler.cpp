#include "scheduler.hpp"

#include <linux/futex.h>

#include "choice.hpp"
#include "failure.hpp"
#include "strategy.hpp"
#include "virtual_time.hpp"

namespace explorer {
namespace {

constexpr std::uint64_t give_up_after = 5;  // times the length from which on turns are fair
constexpr std::uint64_t fair_run = 300;     // operations in a row while others could run

void sleep_until_turn(Thread& thread) {
  while (!__atomic_load_n(&thread.go, __ATOMIC_ACQUIRE))
    raw_syscall(SYS_futex, reinterpret_cast<long>(&thread.go), FUTEX_WAIT_PRIVATE, 0);
  __atomic_store_n(&thread.go, 0, __ATOMIC_RELAXED);
}

void give_turn(Thread& thread) {
  runtime.current = &thread;
  __atomic_store_n(&thread.go, 1, __ATOMIC_RELEASE);
  raw_syscall(SYS_futex, reinterpret_cast<long>(&thread.go), FUTEX_WAKE_PRIVATE, 1);
}

__attribute__((noinline)) void hand_over(Thread& from, Thread& to) {
  if (&from == &to) return;
  from.parked_at = address_of(__builtin_frame_address(0));
  give_turn(to);
  sleep_until_turn(from);
}

int collect(Thread** out) {
  int count = 0;
  for (int i = 0; i < runtime.thread_count; ++i) {
    Thread& thread = threads[i];
    if (thread.state == ThreadState::runnable
            ? !would_block(thread)
            : thread.state == ThreadState::blocked && thread.impatient)
      out[count++] = &thread;
  }
  if (count) return count;
  for (int i = 0; i < runtime.thread_count; ++i)
    if (threads[i].state == ThreadState::runnable) out[count++] = &threads[i];
  return count;
}

Thread& next_thread(Thread& current, bool yielding) {
  Candidates candidates;
  while (!(candidates.count = collect(candidates.thread)))
    if (!advance_to_next_timer()) fail_stuck();

  bool can_go_on = false;
  for (int i = 0; i < candidates.count; ++i) can_go_on |= candidates.thread[i] == &current;
  can_go_on &= current.state == ThreadState::runnable;
  if (can_go_on && candidates.count > 1 && ++runtime.run_length > fair_run) yielding = true;
  candidates.current = can_go_on ? &current : nullptr;
  candidates.yielding = yielding && can_go_on;

  Thread& chosen =
      candidates.count == 1 ? *candidates.thread[0] : choose_thread(candidates, current);
  if (&chosen != &current || yielding) runtime.run_length = 0;
  if (chosen.state == ThreadState::blocked) {  // impatient: the clock jumps for it
    if (chosen.deadline > runtime.now) {
      Nanoseconds jump = chosen.deadline - runtime.now;
      runtime.slack = runtime.slack > jump ? runtime.slack - jump : 0;
      runtime.now = chosen.deadline;
    }
    time_out(chosen);
    fire_timers();
  }
  return chosen;
}

void count_step(Thread& thread, Op op, const void* object) {
  thread.op = op;
  thread.op_object = object;
  ++thread.operations;
  thread.plain_run = 0;
  mix_into_path(static_cast<std::uint64_t>(thread.id) * 64 + static_cast<std::uint64_t>(op));
  shared->heartbeat = shared->heartbeat + 1;
  if (++runtime.steps == runtime.max_steps) become_fair();
  if (runtime.steps > give_up_after * runtime.max_steps) give_up_on_length();
}

// Switching just before these commutes with switching just before the next operation.
bool moves_freely(Op op) {
  switch (op) {
    case Op::create:
    case Op::join:
    case Op::finish:
      return true;
    case Op::unlock:
    case Op::rw_unlock:
      return !runtime.try_locks;
    default:
      return false;
  }
}

}  // namespace

Object& schedule_point(Op op, const void* address, ObjectKind kind) {
  Thread& thread = *self;
  count_step(thread, op, address);
  Object* object = &object_at(address, kind);
  note_use(*object, thread.id);
  thread.op_state = object;
  // A loop that only looks; or one that locks, looks and unlocks, for very long.
  if (thread.spin.spinning) ++thread.patience;
  bool spinning = thread.spin.spinning || ++thread.restless > restless_run;
  if (spinning) {
    thread.spin.progress();
    pass_time(thread);
  }
  if (spinning || runtime.strategy != Strategy::search || object->shared)
    if (spinning || !moves_freely(op)) {
      hand_over(thread, next_thread(thread, spinning));
      object = &object_at(address, kind);  // it may have been destroyed and made anew meanwhile
    }
  thread.op_state = nullptr;
  return *object;
}

void yield_point(Op op) {
  Thread& thread = *self;
  count_step(thread, op, nullptr);
  thread.spin.progress();
  ++thread.patience;
  pass_time(thread);
  hand_over(thread, next_thread(thread, true));
}

bool block(WaitFor what, const void* object, Nanoseconds deadline) {
  Thread& thread = *self;
  count_step(thread, thread.op, thread.op_object);
  thread.spin.progress();
  thread.patience = 0;
  thread.restless = 0;
  runtime.idle_rounds = 0;
  thread.state = ThreadState::blocked;
  thread.waits_for = what;
  thread.wait_object = object;
  thread.timed = deadline != never;
  thread.deadline = deadline;
  thread.timed_out = false;
  thread.impatient = thread.timed && deadline > runtime.now &&
                     deadline - runtime.now <= runtime.slack &&
                     choose(Choice::early, 2, runtime.rate_early);
  hand_over(thread, next_thread(thread, false));
  thread.waits_for = WaitFor::nothing;
  thread.wait_object = nullptr;
  thread.timed = false;
  return thread.timed_out;
}

static bool waits(const Thread& thread, WaitFor what, const void* object) {
  return thread.state == ThreadState::blocked && thread.waits_for == what &&
         thread.wait_object == object;
}

static void wake(Thread& thread) {
  thread.state = ThreadState::runnable;
  thread.impatient = false;
}

void wake_all(WaitFor what, const void* object) {
  for (int i = 0; i < runtime.thread_count; ++i)
    if (waits(threads[i], what, object)) wake(threads[i]);
}

int waiting(WaitFor what, const void* object) {
  int count = 0;
  for (int i = 0; i < runtime.thread_count; ++i) count += waits(threads[i], what, object);
  return count;
}

int wake_one(WaitFor what, const void* object, int sequence) {
  Thread* found[max_threads];
  int count = 0;
  for (int i = 0; i < runtime.thread_count; ++i)
    if (waits(threads[i], what, object)) found[count++] = &threads[i];
  if (!count) return -1;
  Thread& woken = *found[choose(Choice::notify, count, uniformly, sequence)];
  wake(woken);
  return woken.id;
}

void wait_for_first_turn(Thread& thread) { sleep_until_turn(thread); }

void finish_thread(Thread& thread) {
  thread.state = ThreadState::finished;
  thread.op = Op::exit;
  thread.op_object = nullptr;
  ++thread.operations;
  --runtime.alive;
  runtime.idle_rounds = 0;
  wake_all(WaitFor::join, &thread);
  if (runtime.alive == 1) wake_all(WaitFor::end, nullptr);
  Thread& next = next_thread(thread, false);
  self = nullptr;
  give_turn(next);
}

void note_idle(Address where, std::uint64_t value) { self->spin.observe(where, value); }

// Others who poll have to look again before they count as waiting: what they wait for may have
// come. Not because of one who does nothing but poll, by exchanges, say: both would never wait.
void note_progress() {
  self->spin.progress();
  self->patience = 0;
  runtime.idle_rounds = 0;
  if (self->restless > restless_run) return;
  for (int i = 0; i < runtime.thread_count; ++i) threads[i].patience = 0;
}

void SpinDetector::observe(Address where, std::uint64_t value) {
  constexpr int times_before_it_counts = 3;
  for (Seen& entry : seen) {
    if (entry.where != where) continue;
    if (entry.value != value) {
      entry.value = value;
      entry.times = 0;
    }
    if (++entry.times > times_before_it_counts) spinning = true;
    return;
  }
  seen[next] = Seen{where, value, 1};
  next = (next + 1) % 8;
}

void SpinDetector::progress() {
  for (Seen& entry : seen) entry = Seen{};
  next = 0;
  spinning = false;
}

}  // namespace explorer
