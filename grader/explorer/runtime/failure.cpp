#include "failure.hpp"

#include <stdarg.h>
#include <stdio.h>

#include "objects.hpp"

namespace explorer {
namespace {

int holder_of(const Thread& thread) {
  switch (thread.waits_for) {
    case WaitFor::join:
      return static_cast<const Thread*>(thread.wait_object)->id;
    case WaitFor::mutex:
    case WaitFor::rwlock:
    case WaitFor::once: {
      const Object* object = find_object(thread.wait_object);
      if (!object) return -1;
      if (object->owner >= 0) return object->owner;
      for (int i = 0; i < runtime.thread_count; ++i)
        if (object->readers_held & (1u << i)) return i;
      return -1;
    }
    default:
      return -1;
  }
}

void report_threads() {
  shared->thread_count = runtime.thread_count;
  for (int i = 0; i < runtime.thread_count; ++i) {
    const Thread& thread = threads[i];
    ThreadReport& report = shared->threads[i];
    report = ThreadReport{};
    report.state = thread.state;
    report.op = thread.op;
    report.detached = thread.detached;
    report.holder = -1;
    report.deadline = thread.timed ? thread.deadline : never;
    if (thread.state == ThreadState::blocked) {
      report.waits_for = thread.waits_for;
      report.holder = static_cast<std::int16_t>(holder_of(thread));
      if (thread.waits_for != WaitFor::join && thread.waits_for != WaitFor::end)
        report.object = object_id(thread.wait_object);
    } else {
      report.object = object_id(thread.op_object);
    }
  }
}

[[noreturn]] void end_child(FailureKind kind) {
  Failure& failure = shared->failure;
  failure.kind = kind;
  failure.thread = static_cast<std::uint8_t>(runtime.current ? runtime.current->id : 0);
  failure.body_over = runtime.body_over;
  shared->last_steps = runtime.steps;
  report_threads();
  report_objects();
  runtime.on = false;
  raw_syscall(SYS_exit_group, 10 + static_cast<long>(kind));
  __builtin_unreachable();
}

// Follows "waits for what X holds" from `start`; true when it comes back.
bool in_cycle(int start) {
  int at = start;
  for (int i = 0; i < max_threads; ++i) {
    if (threads[at].state != ThreadState::blocked) return false;
    at = holder_of(threads[at]);
    if (at < 0) return false;
    if (at == start) return true;
  }
  return false;
}

}  // namespace

void fail(FailureKind kind, const char* format, ...) {
  Outside outside;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(shared->failure.message, sizeof shared->failure.message, format, arguments);
  va_end(arguments);
  end_child(kind);
}

void cannot_explore(const char* format, ...) {
  Outside outside;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(shared->failure.message, sizeof shared->failure.message, format, arguments);
  va_end(arguments);
  end_child(FailureKind::cannot_explore);
}

void fail_access(FailureKind kind, const Access& now, const Access& before) {
  shared->failure.now = now;
  shared->failure.before = before;
  shared->failure.object = object_id(reinterpret_cast<void*>(now.address));
  fail(kind, "%s", "");
}

void fail_stuck() {
  for (int i = 0; i < runtime.thread_count; ++i)
    if (in_cycle(i)) fail(FailureKind::deadlock, "%s", "");
  if (runtime.body_over) fail(FailureKind::left_behind, "%s", "");
  fail(FailureKind::lost_wakeup, "%s", "");
}

}  // namespace explorer
