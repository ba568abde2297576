// pthread_once (std::call_once) and the guards of function-local statics. Exceptions included.
#include <pthread.h>

#include "scheduler.hpp"
#include "trace.hpp"

namespace explorer {
namespace {

constexpr pthread_once_t glibc_done = 2;

// True when the caller is the one to run the initialisation.
bool enter(const void* control, const volatile unsigned char* done_flag, unsigned char done) {
  Object* object = &schedule_point(Op::once, control, ObjectKind::once);
  for (;;) {
    if (*done_flag == done) {
      acquire(*object);
      return false;
    }
    if (object->owner < 0) break;
    self->op = Op::once;
    self->op_object = control;
    trace(Op::once, {.object = control, .other = object->owner, .flags = flag_slept});
    block(WaitFor::once, control);
    object = &object_at(control, ObjectKind::once);
  }
  object->owner = self->id;
  acquire(*object);  // a failed attempt of another thread happens before ours
  trace(Op::once, {.object = control});
  return true;
}

void leave(const void* control, bool done) {
  Object& object = object_at(control, ObjectKind::once);
  object.owner = -1;
  release(object);
  note_progress();
  wake_all(WaitFor::once, control);
  trace(Op::once_done, {.object = control, .flags = done ? 0 : flag_failed});
}

}  // namespace
}  // namespace explorer

using namespace explorer;

EXPLORER_EXPORT int pthread_once(pthread_once_t* control, void (*function)(void)) {
  if (!active()) return EXPLORER_REAL(pthread_once)(control, function);
  auto* flag = reinterpret_cast<unsigned char*>(control);
  if (!enter(control, flag, glibc_done)) return 0;
  struct Attempt {
    pthread_once_t* control;
    bool done = false;
    ~Attempt() {
      if (done) *control = glibc_done;
      leave(control, done);
    }
  } attempt{control};
  function();
  attempt.done = true;
  return 0;
}

EXPLORER_EXPORT int __cxa_guard_acquire(std::uint64_t* guard) {
  if (!active()) {
    static int (*real)(std::uint64_t*);
    if (!real) real = reinterpret_cast<int (*)(std::uint64_t*)>(find_real("__cxa_guard_acquire"));
    return real(guard);
  }
  return enter(guard, reinterpret_cast<unsigned char*>(guard), 1);
}

EXPLORER_EXPORT void __cxa_guard_release(std::uint64_t* guard) {
  if (!active()) {
    static void (*real)(std::uint64_t*);
    if (!real) real = reinterpret_cast<void (*)(std::uint64_t*)>(find_real("__cxa_guard_release"));
    return real(guard);
  }
  *reinterpret_cast<unsigned char*>(guard) = 1;
  leave(guard, true);
}

EXPLORER_EXPORT void __cxa_guard_abort(std::uint64_t* guard) {
  if (!active()) {
    static void (*real)(std::uint64_t*);
    if (!real) real = reinterpret_cast<void (*)(std::uint64_t*)>(find_real("__cxa_guard_abort"));
    return real(guard);
  }
  leave(guard, false);
}
