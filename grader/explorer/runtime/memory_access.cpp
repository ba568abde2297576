// What the compiler's -fsanitize=thread instrumentation calls for plain memory, and the libc
// functions that read and write memory for the program.
#include <string.h>

#include "shadow.hpp"
#include "symbols.hpp"

namespace explorer {
namespace {

// Before a second thread exists nothing can race: whatever happened happens before its creation.
inline bool recording() { return active() && runtime.thread_count > 1; }

inline void access(const volatile void* address, std::size_t size, int flags, Address pc) {
  if (recording() && size) on_access(address_of(address), size, flags, pc);
}

// Code of libstdc++.so and libc is not instrumented, so its synchronisation is invisible: what it
// copies says nothing. The program's own calls count.
inline void range_access(const void* address, std::size_t size, int flags, Address pc) {
  if (recording() && size && in_program(pc)) on_access(address_of(address), size, flags, pc);
}

}  // namespace
}  // namespace explorer

using namespace explorer;

#define EXPLORER_ACCESS(NAME, SIZE, FLAGS) \
  EXPLORER_EXPORT void __tsan_##NAME(void* a) { access(a, SIZE, FLAGS, EXPLORER_CALLER); }
#define EXPLORER_ACCESSES(SIZE)                                       \
  EXPLORER_ACCESS(read##SIZE, SIZE, 0)                                \
  EXPLORER_ACCESS(write##SIZE, SIZE, access_write)                    \
  EXPLORER_ACCESS(unaligned_read##SIZE, SIZE, 0)                      \
  EXPLORER_ACCESS(unaligned_write##SIZE, SIZE, access_write)          \
  EXPLORER_ACCESS(volatile_read##SIZE, SIZE, 0)                       \
  EXPLORER_ACCESS(volatile_write##SIZE, SIZE, access_write)           \
  EXPLORER_ACCESS(unaligned_volatile_read##SIZE, SIZE, 0)             \
  EXPLORER_ACCESS(unaligned_volatile_write##SIZE, SIZE, access_write) \
  EXPLORER_ACCESS(read_write##SIZE, SIZE, access_write)               \
  EXPLORER_ACCESS(unaligned_read_write##SIZE, SIZE, access_write)

EXPLORER_ACCESSES(1)
EXPLORER_ACCESSES(2)
EXPLORER_ACCESSES(4)
EXPLORER_ACCESSES(8)
EXPLORER_ACCESSES(16)

EXPLORER_EXPORT void __tsan_read_range(void* a, std::size_t n) { access(a, n, 0, EXPLORER_CALLER); }
EXPLORER_EXPORT void __tsan_write_range(void* a, std::size_t n) {
  access(a, n, access_write, EXPLORER_CALLER);
}
EXPLORER_EXPORT void __tsan_vptr_read(void** a) { access(a, sizeof *a, 0, EXPLORER_CALLER); }
EXPLORER_EXPORT void __tsan_vptr_update(void** a, void* value) {
  if (*a != value) access(a, sizeof *a, access_write, EXPLORER_CALLER);
}

EXPLORER_EXPORT void __tsan_init() {}
EXPLORER_EXPORT void __tsan_ignore_thread_begin() {}
EXPLORER_EXPORT void __tsan_ignore_thread_end() {}
EXPLORER_EXPORT void __tsan_func_entry(void*) {
  if (has_suppressions() && active() && is_suppressed(EXPLORER_CALLER)) ++self->suppressed;
}
EXPLORER_EXPORT void __tsan_func_exit() {
  if (has_suppressions() && active() && is_suppressed(EXPLORER_CALLER) && self->suppressed)
    --self->suppressed;
}

EXPLORER_EXPORT void* __tsan_memcpy(void* to, const void* from, std::size_t n) {
  access(from, n, 0, EXPLORER_CALLER);
  access(to, n, access_write, EXPLORER_CALLER);
  copy_bytes(to, from, n);
  return to;
}

namespace {

void move_bytes(void* to, const void* from, std::size_t n) {
  if (address_of(to) <= address_of(from) || address_of(to) >= address_of(from) + n)
    return copy_bytes(to, from, n);
  auto* last_to = static_cast<char*>(to) + n - 1;
  auto* last_from = static_cast<const char*>(from) + n - 1;
  asm volatile("std; rep movsb; cld" : "+D"(last_to), "+S"(last_from), "+c"(n)::"memory");
}

}  // namespace

EXPLORER_EXPORT void* __tsan_memmove(void* to, const void* from, std::size_t n) {
  access(from, n, 0, EXPLORER_CALLER);
  access(to, n, access_write, EXPLORER_CALLER);
  move_bytes(to, from, n);
  return to;
}

EXPLORER_EXPORT void* __tsan_memset(void* to, int value, std::size_t n) {
  access(to, n, access_write, EXPLORER_CALLER);
  fill_bytes(to, static_cast<unsigned char>(value), n);
  return to;
}

EXPLORER_EXPORT void* memcpy(void* __restrict to, const void* __restrict from,
                             std::size_t n) noexcept {
  Address pc = EXPLORER_CALLER;
  range_access(from, n, 0, pc);
  range_access(to, n, access_write, pc);
  copy_bytes(to, from, n);
  return to;
}

EXPLORER_EXPORT void* memmove(void* to, const void* from, std::size_t n) noexcept {
  Address pc = EXPLORER_CALLER;
  range_access(from, n, 0, pc);
  range_access(to, n, access_write, pc);
  move_bytes(to, from, n);
  return to;
}

EXPLORER_EXPORT void* memset(void* to, int value, std::size_t n) noexcept {
  range_access(to, n, access_write, EXPLORER_CALLER);
  fill_bytes(to, static_cast<unsigned char>(value), n);
  return to;
}
