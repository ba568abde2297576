// The ground everything in the runtime stands on.
//
// The runtime lives inside the program under test and answers the functions that program calls, so
// it must not use them itself: no C++ standard library, no memcpy (a struct copy above 128 bytes
// turns into one: copy by hand), no mutex, no static with a guard. `explorer.runtime_is_closed`
// in tests/ checks the object files for that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <sys/syscall.h>

// A function of libc, libstdc++ or libtsan that this runtime answers in its place.
#define EXPLORER_EXPORT extern "C" __attribute__((visibility("default")))

// Where the function that is executing was called from: an address inside the call instruction.
#define EXPLORER_CALLER (reinterpret_cast<::explorer::Address>(__builtin_return_address(0)) - 1)

namespace explorer {

using Address = std::uintptr_t;
using Nanoseconds = std::uint64_t;

inline constexpr Nanoseconds never = ~Nanoseconds{0};

inline Address address_of(const volatile void* pointer) {
  return reinterpret_cast<Address>(pointer);
}

// A system call that no interposed function sees. Returns -errno on failure.
inline long raw_syscall(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0,
                        long f = 0) {
  long result = 0;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  asm volatile("syscall"
               : "=a"(result)
               : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

inline void copy_bytes(void* to, const void* from, std::size_t count) {
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count)::"memory");
}

inline void fill_bytes(void* to, unsigned char value, std::size_t count) {
  asm volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(value) : "memory");
}

// Memory that never goes through malloc; zeroed, kept for the life of the process.
void* map_memory(std::size_t bytes);

// The next definition of `name` after this executable's own: libc's or libstdc++'s.
void* find_real(const char* name, const char* version = nullptr);

}  // namespace explorer

// The libc function that an interposed one stands in front of.
#define EXPLORER_REAL(function)                                                                  \
  ([] {                                                                                          \
    static decltype(&::function) real;                                                           \
    if (!real) real = reinterpret_cast<decltype(&::function)>(::explorer::find_real(#function)); \
    return real;                                                                                 \
  }())

// The same for the functions glibc keeps two versions of; dlsym alone may hand out the old one.
#define EXPLORER_REAL_VERSION(function, version)                                                 \
  ([] {                                                                                          \
    static decltype(&::function) real;                                                           \
    if (!real)                                                                                   \
      real = reinterpret_cast<decltype(&::function)>(::explorer::find_real(#function, version)); \
    return real;                                                                                 \
  }())
