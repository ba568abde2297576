#include "schedule.hpp"

#include "failure.hpp"
#include "heap.hpp"
#include "objects.hpp"
#include "scheduler.hpp"
#include "shadow_memory.hpp"
#include "stacks.hpp"
#include "strategy.hpp"
#include "trace.hpp"

namespace explorer {

void begin_schedule(std::uint64_t seed) {
  prepare_threads();
  std::uint32_t generation = runtime.generation + 1;
  fill_bytes(&runtime, 0, sizeof runtime);
  runtime.generation = generation;
  runtime.slack = 100'000'000;  // a machine may stall us for a tenth of a second, not for long
  runtime.max_steps = shared->plan.max_steps ? shared->plan.max_steps : 20000;
  shared->decision_count = 0;
  shared->event_count = 0;
  shared->path_hash = 0xcbf29ce484222325ull;
  shared->failure.kind = FailureKind::none;
  shared->failure.object = 0;
  shared->failure.file[0] = '\0';
  shared->failure.line = 0;
  start_strategy(seed);
  reset_objects();
  reset_shadow();
  begin_heap();
  Thread& main = add_thread();
  main.op = Op::none;
  main.handle = pthread_self();
  main.has_handle = true;
  note_main_stack(main);
  runtime.current = &main;
  runtime.on = true;
  self = &main;
}

void wait_for_others() {
  if (!active()) return;
  runtime.body_over = true;
  runtime.body_over_at = runtime.now;
  self->op = Op::finish;
  self->op_object = nullptr;
  trace(Op::finish);
  while (runtime.alive > 1) block(WaitFor::end, nullptr);
}

void end_schedule() {
  if (!self) return;
  wait_for_others();
  shared->last_steps = runtime.steps;
  shared->total_steps = shared->total_steps + runtime.steps;
  if (runtime.steps > shared->longest) shared->longest = runtime.steps;
  if (tracing()) report_objects();
  shared->thread_count = runtime.thread_count;
  runtime.on = false;
  self = nullptr;
  join_really();
}

void report_check_failed(const char* file, int line, const char* message) {
  if (!runtime.on) return;
  Failure& failure = shared->failure;
  std::size_t length = 0;
  for (; file && file[length] && length + 1 < sizeof failure.file; ++length)
    failure.file[length] = file[length];
  failure.file[length] = '\0';
  failure.line = line;
  self = runtime.current;
  trace(Op::check);
  fail(FailureKind::check_failed, "%s", message);
}

void report_escaped_exception(const char* message) {
  if (runtime.on) fail(FailureKind::escaped_exception, "%s", message);
}

void report_crash(int signal, Address address) {
  if (!runtime.on) return;
  shared->failure.signal = signal;
  shared->failure.now.address = address;
  if (self) trace(Op::crash, {.object = reinterpret_cast<void*>(address), .value = signal});
  fail(FailureKind::crash, "signal %d", signal);
}

}  // namespace explorer
