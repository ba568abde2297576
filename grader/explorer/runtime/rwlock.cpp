// pthread_rwlock_*: std::shared_mutex and shared_timed_mutex.
#include <errno.h>
#include <pthread.h>

#include "clock.hpp"
#include "failure.hpp"
#include "scheduler.hpp"
#include "shadow.hpp"
#include "trace.hpp"

namespace explorer {
namespace {

enum class Mode { read, write };

int take(pthread_rwlock_t* lock, Mode mode, Nanoseconds deadline, bool try_only, Address caller) {
  Op op = mode == Mode::write ? Op::write_lock : Op::read_lock;
  if (try_only || deadline != never) runtime.try_locks = true;
  Object* object = &schedule_point(op, lock, ObjectKind::rwlock);
  use_sync_object(lock, caller);
  bool late = false;
  while (object->owner >= 0 || (mode == Mode::write && object->readers > 0)) {
    if (object->owner == self->id && deadline == never && !try_only) {
      shared->failure.object = object->id;
      fail(FailureKind::deadlock, "it locks a shared mutex that it already holds");
    }
    if (try_only) {
      note_idle(caller, address_of(lock));
      trace(op, {.object = lock, .other = object->owner, .flags = flag_failed});
      return EBUSY;
    }
    if (late) return ETIMEDOUT;
    self->op = op;
    self->op_object = lock;
    trace(op, {.object = lock, .other = object->owner, .flags = flag_slept});
    late = block(WaitFor::rwlock, lock, deadline);
    object = &object_at(lock, ObjectKind::rwlock);
  }
  acquire(*object);
  if (mode == Mode::write) {
    self->clock.join(object->reader_release);
    object->owner = self->id;
  } else {
    ++object->readers;
    object->readers_held |= 1u << self->id;
  }
  trace(op, {.object = lock});
  return 0;
}

}  // namespace
}  // namespace explorer

using namespace explorer;

EXPLORER_EXPORT int pthread_rwlock_rdlock(pthread_rwlock_t* lock) noexcept {
  if (!active()) return EXPLORER_REAL(pthread_rwlock_rdlock)(lock);
  return take(lock, Mode::read, never, false, EXPLORER_CALLER);
}

EXPLORER_EXPORT int pthread_rwlock_wrlock(pthread_rwlock_t* lock) noexcept {
  if (!active()) return EXPLORER_REAL(pthread_rwlock_wrlock)(lock);
  return take(lock, Mode::write, never, false, EXPLORER_CALLER);
}

EXPLORER_EXPORT int pthread_rwlock_tryrdlock(pthread_rwlock_t* lock) noexcept {
  if (!active()) return EXPLORER_REAL(pthread_rwlock_tryrdlock)(lock);
  return take(lock, Mode::read, never, true, EXPLORER_CALLER);
}

EXPLORER_EXPORT int pthread_rwlock_trywrlock(pthread_rwlock_t* lock) noexcept {
  if (!active()) return EXPLORER_REAL(pthread_rwlock_trywrlock)(lock);
  return take(lock, Mode::write, never, true, EXPLORER_CALLER);
}

EXPLORER_EXPORT int pthread_rwlock_timedrdlock(pthread_rwlock_t* lock,
                                               const timespec* time) noexcept {
  if (!active()) return EXPLORER_REAL(pthread_rwlock_timedrdlock)(lock, time);
  return take(lock, Mode::read, deadline_on(CLOCK_REALTIME, *time), false, EXPLORER_CALLER);
}

EXPLORER_EXPORT int pthread_rwlock_timedwrlock(pthread_rwlock_t* lock,
                                               const timespec* time) noexcept {
  if (!active()) return EXPLORER_REAL(pthread_rwlock_timedwrlock)(lock, time);
  return take(lock, Mode::write, deadline_on(CLOCK_REALTIME, *time), false, EXPLORER_CALLER);
}

EXPLORER_EXPORT int pthread_rwlock_clockrdlock(pthread_rwlock_t* lock, clockid_t clock,
                                               const timespec* time) noexcept {
  if (!active()) return EXPLORER_REAL(pthread_rwlock_clockrdlock)(lock, clock, time);
  return take(lock, Mode::read, deadline_on(clock, *time), false, EXPLORER_CALLER);
}

EXPLORER_EXPORT int pthread_rwlock_clockwrlock(pthread_rwlock_t* lock, clockid_t clock,
                                               const timespec* time) noexcept {
  if (!active()) return EXPLORER_REAL(pthread_rwlock_clockwrlock)(lock, clock, time);
  return take(lock, Mode::write, deadline_on(clock, *time), false, EXPLORER_CALLER);
}

EXPLORER_EXPORT int pthread_rwlock_unlock(pthread_rwlock_t* lock) noexcept {
  if (!active()) return EXPLORER_REAL(pthread_rwlock_unlock)(lock);
  Address caller = EXPLORER_CALLER;
  Object& object = schedule_point(Op::rw_unlock, lock, ObjectKind::rwlock);
  use_sync_object(lock, caller);
  if (object.owner == self->id) {
    object.owner = -1;
    release(object);
  } else if (object.owner < 0 && object.readers > 0) {
    --object.readers;
    object.readers_held &= ~(1u << self->id);
    object.reader_release.join(self->clock);
    tick(self);
  } else {
    shared->failure.object = object.id;
    fail(FailureKind::misuse, object.owner < 0
                                  ? "it unlocks a shared mutex that nobody holds"
                                  : "it unlocks a shared mutex that another thread holds");
  }
  wake_all(WaitFor::rwlock, lock);
  trace(Op::rw_unlock, {.object = lock});
  return 0;
}

EXPLORER_EXPORT int pthread_rwlock_destroy(pthread_rwlock_t* lock) noexcept {
  if (!active()) return EXPLORER_REAL(pthread_rwlock_destroy)(lock);
  if (Object* object = find_object(lock)) {
    check_destroyed(*object);
    forget_object(*object);
  }
  return 0;
}
