// syscall(2) as libstdc++ uses it: the futex behind atomic wait, semaphores, latches, barriers and
// futures. Other system calls go to the kernel.
#include <errno.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <unistd.h>

#include "clock.hpp"
#include "failure.hpp"
#include "scheduler.hpp"
#include "shadow.hpp"
#include "trace.hpp"

namespace explorer {
namespace {

long wait(int* word, int expected, Nanoseconds deadline, Address caller) {
  schedule_point(Op::futex_wait, word, ObjectKind::atomic);
  check_alive(word, caller);
  // The kernel compares with what is really in memory: never an older value.
  if (__atomic_load_n(word, __ATOMIC_RELAXED) != expected) {
    trace(Op::futex_wait, {.object = word, .value = expected, .flags = flag_failed});
    errno = EAGAIN;
    return -1;
  }
  trace(Op::futex_wait, {.object = word,
                         .value = expected,
                         .flags = flag_slept | (deadline != never ? flag_timed : 0)});
  if (deadline <= runtime.now) {
    errno = ETIMEDOUT;
    return -1;
  }
  bool late = block(WaitFor::futex, word, deadline);
  self->op = Op::futex_woke;
  trace(Op::futex_woke, {.object = word, .flags = late ? flag_timed_out : 0});
  if (!late) return 0;
  errno = ETIMEDOUT;
  return -1;
}

// Needs the address only: the waiter may have destroyed the object already, and that is right.
long wake(int* word, int at_most) {
  schedule_point(Op::futex_wake, word, ObjectKind::atomic);
  int woken = 0, last = -1;
  while (woken < at_most) {
    int thread = wake_one(WaitFor::futex, word, woken);
    if (thread < 0) break;
    last = thread;
    ++woken;
  }
  if (woken) note_progress();
  trace(Op::futex_wake, {.object = word, .value = woken, .other = woken == 1 ? last : -1});
  return woken;
}

}  // namespace
}  // namespace explorer

using namespace explorer;

EXPLORER_EXPORT long syscall(long number, ...) noexcept {
  Address caller = EXPLORER_CALLER;
  va_list list;
  va_start(list, number);
  long a[6];
  for (long& argument : a) argument = va_arg(list, long);
  va_end(list);
  if (number == SYS_futex && active()) {
    int* word = reinterpret_cast<int*>(a[0]);
    long command = a[1] & FUTEX_CMD_MASK;
    if (command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET) {
      Nanoseconds deadline = never;
      if (auto* time = reinterpret_cast<const timespec*>(a[3])) {
        clockid_t clock = a[1] & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;
        deadline =
            command == FUTEX_WAIT ? runtime.now + to_nanoseconds(*time) : deadline_on(clock, *time);
      }
      return wait(word, static_cast<int>(a[2]), deadline, caller);
    }
    if (command == FUTEX_WAKE || command == FUTEX_WAKE_BITSET)
      return wake(word, static_cast<int>(a[2]));
    cannot_explore("it makes the futex system call itself, command %ld", command);
  }
  long result = raw_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  if (result < 0 && result > -4096) {
    errno = static_cast<int>(-result);
    return -1;
  }
  return result;
}
