// pthread_cond_*: std::condition_variable. condition_variable_any is built on it and on a mutex.
#include <errno.h>
#include <pthread.h>

#include "choice.hpp"
#include "clock.hpp"
#include "failure.hpp"
#include "mutex.hpp"
#include "scheduler.hpp"
#include "shadow.hpp"
#include "trace.hpp"

namespace explorer {
namespace {

int wait(pthread_cond_t* condition, pthread_mutex_t* mutex, Nanoseconds deadline, Address caller) {
  Object& object = schedule_point(Op::wait, condition, ObjectKind::condition);
  use_sync_object(condition, caller);
  if (!holds_mutex(mutex)) {
    shared->failure.object = object.id;
    fail(FailureKind::misuse, "it waits on a condition variable without holding the mutex");
  }
  trace(Op::wait, {.object = condition,
                   .value = static_cast<std::int64_t>(deadline),
                   .flags = flag_slept | (deadline != never ? flag_timed : 0)});
  int recursion = drop_mutex(mutex);
  bool spurious = choose(Choice::spurious, 2, runtime.rate_spurious);
  bool late = !spurious && deadline <= runtime.now;
  if (spurious || late) {
    // Being runnable from here on is to wake up at any later moment: the scheduler picks it.
    schedule_point(Op::lock, mutex, ObjectKind::mutex);
  } else {
    self->op = Op::lock;  // what it will do when woken
    self->op_object = mutex;
    self->op_state = &object_at(mutex, ObjectKind::mutex);
    late = block(WaitFor::condition, condition, deadline);
    self->op_state = nullptr;
  }
  // From here on the condition variable may be gone: it may be destroyed once all are notified.
  trace(Op::wake, {.object = condition,
                   .flags = (late ? flag_timed_out : 0) | (spurious ? flag_spurious : 0)});
  use_sync_object(mutex, caller);
  take_mutex(mutex, never);
  restore_recursion(mutex, recursion);
  return late ? ETIMEDOUT : 0;
}

}  // namespace
}  // namespace explorer

using namespace explorer;

EXPLORER_EXPORT int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
  if (!active()) return EXPLORER_REAL_VERSION(pthread_cond_wait, "GLIBC_2.3.2")(condition, mutex);
  return wait(condition, mutex, never, EXPLORER_CALLER);
}

EXPLORER_EXPORT int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                                           const timespec* time) {
  if (!active())
    return EXPLORER_REAL_VERSION(pthread_cond_timedwait, "GLIBC_2.3.2")(condition, mutex, time);
  return wait(condition, mutex, deadline_on(CLOCK_REALTIME, *time), EXPLORER_CALLER);
}

EXPLORER_EXPORT int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                                           clockid_t clock, const timespec* time) {
  if (!active()) return EXPLORER_REAL(pthread_cond_clockwait)(condition, mutex, clock, time);
  return wait(condition, mutex, deadline_on(clock, *time), EXPLORER_CALLER);
}

EXPLORER_EXPORT int pthread_cond_signal(pthread_cond_t* condition) noexcept {
  if (!active()) return EXPLORER_REAL_VERSION(pthread_cond_signal, "GLIBC_2.3.2")(condition);
  Address caller = EXPLORER_CALLER;
  schedule_point(Op::notify_one, condition, ObjectKind::condition);
  use_sync_object(condition, caller);
  int woken = wake_one(WaitFor::condition, condition, 0);
  if (woken >= 0) note_progress();
  trace(Op::notify_one, {.object = condition, .value = woken >= 0, .other = woken});
  return 0;
}

EXPLORER_EXPORT int pthread_cond_broadcast(pthread_cond_t* condition) noexcept {
  if (!active()) return EXPLORER_REAL_VERSION(pthread_cond_broadcast, "GLIBC_2.3.2")(condition);
  Address caller = EXPLORER_CALLER;
  schedule_point(Op::notify_all, condition, ObjectKind::condition);
  use_sync_object(condition, caller);
  int woken = waiting(WaitFor::condition, condition);
  wake_all(WaitFor::condition, condition);
  if (woken) note_progress();
  trace(Op::notify_all, {.object = condition, .value = woken});
  return 0;
}

EXPLORER_EXPORT int pthread_cond_destroy(pthread_cond_t* condition) noexcept {
  if (!active()) return EXPLORER_REAL_VERSION(pthread_cond_destroy, "GLIBC_2.3.2")(condition);
  if (Object* object = find_object(condition)) {
    check_destroyed(*object);
    forget_object(*object);
  }
  return 0;
}
