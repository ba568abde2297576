// sem_*: POSIX semaphores, for code that uses them directly. (std::counting_semaphore of libstdc++
// on Linux goes through the futex.)
#include <errno.h>
#include <semaphore.h>

#include "clock.hpp"
#include "scheduler.hpp"
#include "shadow.hpp"
#include "trace.hpp"

namespace explorer {
namespace {

// The count lives in the sem_t itself, as glibc keeps it, so that it survives a schedule.
unsigned& count_of(sem_t* semaphore) { return *reinterpret_cast<unsigned*>(semaphore); }

int take(sem_t* semaphore, Nanoseconds deadline, bool try_only, Address caller) {
  schedule_point(Op::semaphore_wait, semaphore, ObjectKind::semaphore);
  check_alive(semaphore, caller);
  bool late = false;
  while (!count_of(semaphore)) {
    if (try_only || late) {
      note_idle(caller, 0);
      trace(Op::semaphore_wait, {.object = semaphore, .flags = flag_failed});
      errno = late ? ETIMEDOUT : EAGAIN;
      return -1;
    }
    self->op = Op::semaphore_wait;
    self->op_object = semaphore;
    trace(Op::semaphore_wait, {.object = semaphore, .flags = flag_slept});
    late = block(WaitFor::semaphore, semaphore, deadline);
  }
  --count_of(semaphore);
  acquire(object_at(semaphore, ObjectKind::semaphore));
  trace(Op::semaphore_wait, {.object = semaphore});
  return 0;
}

}  // namespace
}  // namespace explorer

using namespace explorer;

EXPLORER_EXPORT int sem_init(sem_t* semaphore, int across_processes, unsigned value) noexcept {
  if (!active()) return EXPLORER_REAL(sem_init)(semaphore, across_processes, value);
  if (Object* object = find_object(semaphore)) forget_object(*object);
  fill_bytes(semaphore, 0, sizeof *semaphore);
  count_of(semaphore) = value;
  return 0;
}

EXPLORER_EXPORT int sem_wait(sem_t* semaphore) {
  if (!active()) return EXPLORER_REAL(sem_wait)(semaphore);
  return take(semaphore, never, false, EXPLORER_CALLER);
}

EXPLORER_EXPORT int sem_trywait(sem_t* semaphore) noexcept {
  if (!active()) return EXPLORER_REAL(sem_trywait)(semaphore);
  return take(semaphore, never, true, EXPLORER_CALLER);
}

EXPLORER_EXPORT int sem_timedwait(sem_t* semaphore, const timespec* time) {
  if (!active()) return EXPLORER_REAL(sem_timedwait)(semaphore, time);
  return take(semaphore, deadline_on(CLOCK_REALTIME, *time), false, EXPLORER_CALLER);
}

EXPLORER_EXPORT int sem_clockwait(sem_t* semaphore, clockid_t clock, const timespec* time) {
  if (!active()) return EXPLORER_REAL(sem_clockwait)(semaphore, clock, time);
  return take(semaphore, deadline_on(clock, *time), false, EXPLORER_CALLER);
}

EXPLORER_EXPORT int sem_post(sem_t* semaphore) noexcept {
  if (!active()) return EXPLORER_REAL(sem_post)(semaphore);
  Object& object = schedule_point(Op::semaphore_post, semaphore, ObjectKind::semaphore);
  ++count_of(semaphore);
  release(object);
  int woken = wake_one(WaitFor::semaphore, semaphore, 0);
  note_progress();
  trace(Op::semaphore_post, {.object = semaphore, .value = count_of(semaphore), .other = woken});
  return 0;
}

EXPLORER_EXPORT int sem_getvalue(sem_t* semaphore, int* value) noexcept {
  if (!active()) return EXPLORER_REAL(sem_getvalue)(semaphore, value);
  *value = static_cast<int>(count_of(semaphore));
  return 0;
}

EXPLORER_EXPORT int sem_destroy(sem_t* semaphore) noexcept {
  if (!active()) return EXPLORER_REAL(sem_destroy)(semaphore);
  return 0;
}
