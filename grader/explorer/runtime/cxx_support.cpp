// The corners of the C++ run time library that need help: operator delete (so that it is known who
// deletes), the reference counts of exceptions (inside uninstrumented libstdc++.so, their order is
// invisible), and the annotations that newer libstdc++ headers make for ThreadSanitizer.
#include <new>

#include "heap.hpp"
#include "objects.hpp"

namespace explorer {

namespace {

// The part of libstdc++'s exception header (unwind-cxx.h) that leads to the exception object.
struct ExceptionHeader {
  void* type_or_primary;  // of a dependent exception (one rethrown from a pointer): the real object
  void* others[9];
  std::uint64_t exception_class;  // 'GNUCC++' and 0, or 1 for a dependent exception
  std::uint64_t unwinder_private[3];
};
static_assert(sizeof(ExceptionHeader) == 112);

struct ExceptionGlobals {
  ExceptionHeader* caught;
  unsigned uncaught;
};

void* object_of(ExceptionHeader* header) {
  bool dependent = (header->exception_class & 0xff) == 1;
  return dependent ? header->type_or_primary : header + 1;
}

// A reference to the exception is given up: that happens before the last one destroys it.
// Keyed one byte below the object, where no other object can live.
void give_up_reference(void* exception) { order_through(static_cast<char*>(exception) - 1); }

}  // namespace
}  // namespace explorer

using namespace explorer;

extern "C" ExceptionGlobals* __cxa_get_globals() noexcept;

EXPLORER_EXPORT void __cxa_end_catch() {
  static void (*real)();
  if (!real) real = reinterpret_cast<void (*)()>(find_real("__cxa_end_catch"));
  if (active())
    if (ExceptionHeader* header = __cxa_get_globals()->caught) give_up_reference(object_of(header));
  real();
}

// std::exception_ptr::_M_release()
EXPLORER_EXPORT void _ZNSt15__exception_ptr13exception_ptr10_M_releaseEv(void** pointer) noexcept {
  static void (*real)(void**);
  if (!real)
    real = reinterpret_cast<void (*)(void**)>(
        find_real("_ZNSt15__exception_ptr13exception_ptr10_M_releaseEv"));
  if (active() && *pointer) give_up_reference(*pointer);
  real(pointer);
}

#define EXPLORER_DELETE(...)                                                           \
  void operator delete __VA_ARGS__ noexcept { free_memory(pointer, EXPLORER_CALLER); } \
  void operator delete[] __VA_ARGS__ noexcept { free_memory(pointer, EXPLORER_CALLER); }

EXPLORER_DELETE((void* pointer))
EXPLORER_DELETE((void* pointer, std::size_t))
EXPLORER_DELETE((void* pointer, std::align_val_t))
EXPLORER_DELETE((void* pointer, std::size_t, std::align_val_t))
EXPLORER_DELETE((void* pointer, const std::nothrow_t&))
EXPLORER_DELETE((void* pointer, std::align_val_t, const std::nothrow_t&))

namespace {

void annotate_acquire(void* address) {
  if (active()) acquire(object_at(static_cast<char*>(address) + 1, ObjectKind::exception));
}
void annotate_release(void* address) {
  if (active()) release(object_at(static_cast<char*>(address) + 1, ObjectKind::exception));
}

}  // namespace

EXPLORER_EXPORT void __tsan_acquire(void* a) { annotate_acquire(a); }
EXPLORER_EXPORT void __tsan_release(void* a) { annotate_release(a); }
EXPLORER_EXPORT void __tsan_mutex_create(void*, unsigned) {}
EXPLORER_EXPORT void __tsan_mutex_destroy(void*, unsigned) {}
EXPLORER_EXPORT void __tsan_mutex_pre_lock(void*, unsigned) {}
EXPLORER_EXPORT void __tsan_mutex_post_lock(void* a, unsigned, int) { annotate_acquire(a); }
EXPLORER_EXPORT int __tsan_mutex_pre_unlock(void* a, unsigned) {
  annotate_release(a);
  return 0;
}
EXPLORER_EXPORT void __tsan_mutex_post_unlock(void*, unsigned) {}
EXPLORER_EXPORT void __tsan_mutex_pre_signal(void*, unsigned) {}
EXPLORER_EXPORT void __tsan_mutex_post_signal(void*, unsigned) {}
EXPLORER_EXPORT void __tsan_mutex_pre_divert(void*, unsigned) {}
EXPLORER_EXPORT void __tsan_mutex_post_divert(void*, unsigned) {}
