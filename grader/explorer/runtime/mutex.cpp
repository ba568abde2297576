// pthread_mutex_*: std::mutex, recursive_mutex and the timed ones.
#include "mutex.hpp"

#include <errno.h>

#include "clock.hpp"
#include "failure.hpp"
#include "scheduler.hpp"
#include "shadow.hpp"
#include "trace.hpp"

namespace explorer {
namespace {

int type_of(const pthread_mutex_t* mutex) { return mutex->__data.__kind & 3; }

bool locked_before_the_schedule(const Object& object, const pthread_mutex_t* mutex) {
  return object.owner < 0 && mutex->__data.__lock != 0;
}

int lock(pthread_mutex_t* mutex, Op op, Nanoseconds deadline, Address caller) {
  if (op == Op::timed_lock) runtime.try_locks = true;
  schedule_point(op, mutex, ObjectKind::mutex);
  use_sync_object(mutex, caller);
  return take_mutex(mutex, deadline);
}

}  // namespace

bool holds_mutex(pthread_mutex_t* mutex) {
  return object_at(mutex, ObjectKind::mutex).owner == self->id;
}

int take_mutex(pthread_mutex_t* mutex, Nanoseconds deadline) {
  bool late = false;
  Object* object = &object_at(mutex, ObjectKind::mutex);
  while (object->owner >= 0) {
    if (object->owner == self->id) {
      if (type_of(mutex) == PTHREAD_MUTEX_RECURSIVE) {
        ++object->count;
        return 0;
      }
      if (type_of(mutex) == PTHREAD_MUTEX_ERRORCHECK) return EDEADLK;
      if (deadline == never) {
        shared->failure.object = object->id;
        fail(FailureKind::deadlock, "it locks a mutex that it already holds");
      }
    }
    if (late) return ETIMEDOUT;
    self->op = Op::lock;
    self->op_object = mutex;
    self->op_state = object;
    trace(Op::lock, {.object = mutex, .other = object->owner, .flags = flag_slept});
    late = block(WaitFor::mutex, mutex, deadline);
    self->op_state = nullptr;
    object = &object_at(mutex, ObjectKind::mutex);
  }
  object->owner = self->id;
  object->count = 0;
  note_use(*object, self->id);
  acquire(*object);
  trace(Op::lock, {.object = mutex});
  return 0;
}

int drop_mutex(pthread_mutex_t* mutex) {
  Object& object = object_at(mutex, ObjectKind::mutex);
  int count = object.count;
  object.owner = -1;
  object.count = 0;
  release(object);
  wake_all(WaitFor::mutex, mutex);
  return count;
}

void restore_recursion(pthread_mutex_t* mutex, int count) {
  object_at(mutex, ObjectKind::mutex).count = count;
}

}  // namespace explorer

using namespace explorer;

EXPLORER_EXPORT int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  if (!active()) return EXPLORER_REAL(pthread_mutex_lock)(mutex);
  return lock(mutex, Op::lock, never, EXPLORER_CALLER);
}

EXPLORER_EXPORT int pthread_mutex_timedlock(pthread_mutex_t* mutex, const timespec* time) noexcept {
  if (!active()) return EXPLORER_REAL(pthread_mutex_timedlock)(mutex, time);
  return lock(mutex, Op::timed_lock, deadline_on(CLOCK_REALTIME, *time), EXPLORER_CALLER);
}

EXPLORER_EXPORT int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock,
                                            const timespec* time) noexcept {
  if (!active()) return EXPLORER_REAL(pthread_mutex_clocklock)(mutex, clock, time);
  return lock(mutex, Op::timed_lock, deadline_on(clock, *time), EXPLORER_CALLER);
}

EXPLORER_EXPORT int pthread_mutex_trylock(pthread_mutex_t* mutex) noexcept {
  if (!active()) return EXPLORER_REAL(pthread_mutex_trylock)(mutex);
  Address caller = EXPLORER_CALLER;
  runtime.try_locks = true;
  Object& object = schedule_point(Op::try_lock, mutex, ObjectKind::mutex);
  use_sync_object(mutex, caller);
  bool again = object.owner == self->id && type_of(mutex) == PTHREAD_MUTEX_RECURSIVE;
  if (object.owner >= 0 && !again) {
    note_idle(caller, address_of(mutex));
    trace(Op::try_lock, {.object = mutex, .other = object.owner, .flags = flag_failed});
    return EBUSY;
  }
  if (again) {
    ++object.count;
  } else {
    object.owner = self->id;
    object.count = 0;
    acquire(object);
  }
  trace(Op::try_lock, {.object = mutex});
  return 0;
}

EXPLORER_EXPORT int pthread_mutex_unlock(pthread_mutex_t* mutex) noexcept {
  if (!active()) return EXPLORER_REAL(pthread_mutex_unlock)(mutex);
  Address caller = EXPLORER_CALLER;
  Object& object = schedule_point(Op::unlock, mutex, ObjectKind::mutex);
  use_sync_object(mutex, caller);
  if (locked_before_the_schedule(object, mutex)) return EXPLORER_REAL(pthread_mutex_unlock)(mutex);
  if (object.owner != self->id) {
    shared->failure.object = object.id;
    if (object.owner < 0) fail(FailureKind::misuse, "it unlocks a mutex that nobody holds");
    fail(FailureKind::misuse, "it unlocks a mutex that thread %d holds", object.owner);
  }
  if (object.count > 0) {
    --object.count;
    return 0;
  }
  drop_mutex(mutex);
  trace(Op::unlock, {.object = mutex});
  return 0;
}

EXPLORER_EXPORT int pthread_mutex_destroy(pthread_mutex_t* mutex) noexcept {
  if (!active()) return EXPLORER_REAL(pthread_mutex_destroy)(mutex);
  if (Object* object = find_object(mutex)) {
    check_destroyed(*object);
    forget_object(*object);
  }
  return 0;
}
