// A library to be preloaded into a suite that is known to pass: at calls that order threads it now
// and then makes the caller lose up to 20 ms, as a machine does that gives the processor to
// somebody else in the worst moment. A right solution passes all the same; a test that does not let
// it is wrong.
//
//   DISTURB_SEED (1)     another seed disturbs other calls
//   DISTURB_RATE (0.1)  the share of calls that are disturbed
//
// The time is lost at work, not asleep: a thread that the machine keeps waiting is never seen
// asleep, and tests may rely on that.
#include <atomic>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <dlfcn.h>
#include <memory>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

constexpr std::uint64_t longest_us = 20'000;

struct Settings {
  double rate = 0.1;
  std::uint64_t seed = 1;
  Settings() {
    if (const char* text = std::getenv("DISTURB_RATE")) rate = std::strtod(text, nullptr);
    if (const char* text = std::getenv("DISTURB_SEED")) seed = std::strtoull(text, nullptr, 10);
  }
};

std::atomic<std::uint64_t> threads{0};

// xorshift64*, one per thread: Marsaglia, "Xorshift RNGs" (2003).
std::uint64_t random_number(std::uint64_t seed) {
  thread_local std::uint64_t state = 0;
  if (state == 0) state = seed * 0x9E3779B97F4A7C15 ^ ++threads * 0xD1B54A32D192ED03;
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545F4914F6CDD1D;
}

std::uint64_t now_us() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1000;
}

void disturb(double factor = 1) {
  static const Settings settings;
  const auto drawn = static_cast<double>(random_number(settings.seed) >> 11) * 0x1.0p-53;
  if (drawn >= settings.rate * factor) return;
  // Mostly a moment, sometimes a whole time slice.
  const auto most = random_number(settings.seed) % 4 == 0 ? longest_us : longest_us / 20;
  const auto time = random_number(settings.seed) % most;
  const auto start = now_us();
  // A test with a hundred thousand such calls would not end.
  static const auto first = start;
  static std::atomic<std::uint64_t> lost{0};
  if (lost.fetch_add(time) > 2'000'000 + 3 * (start - first) / 4) {
    lost -= time;
    return;
  }
  while (now_us() < start + time) {
  }
}

// The function that this library stands in front of.
template <class Function>
Function* next(Function*, const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

struct Start {
  void* (*function)(void*);
  void* argument;
};

void* begin(void* given) {
  const std::unique_ptr<Start> start(static_cast<Start*>(given));
  disturb(10);
  void* result = start->function(start->argument);
  disturb(10);
  return result;
}

}  // namespace

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name)
extern "C" {

int pthread_mutex_lock(pthread_mutex_t* mutex) {
  static auto* const real = next(&pthread_mutex_lock, "pthread_mutex_lock");
  disturb();
  const int result = real(mutex);
  disturb(0.5);
  return result;
}

int pthread_mutex_unlock(pthread_mutex_t* mutex) {
  static auto* const real = next(&pthread_mutex_unlock, "pthread_mutex_unlock");
  const int result = real(mutex);
  disturb();
  return result;
}

int pthread_cond_signal(pthread_cond_t* condition) {
  static auto* const real = next(&pthread_cond_signal, "pthread_cond_signal");
  disturb();
  const int result = real(condition);
  disturb();
  return result;
}

int pthread_cond_broadcast(pthread_cond_t* condition) {
  static auto* const real = next(&pthread_cond_broadcast, "pthread_cond_broadcast");
  disturb();
  const int result = real(condition);
  disturb();
  return result;
}

int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
  static auto* const real = next(&pthread_cond_wait, "pthread_cond_wait");
  disturb();
  const int result = real(condition, mutex);
  disturb();
  return result;
}

int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                           const timespec* until) {
  static auto* const real = next(&pthread_cond_clockwait, "pthread_cond_clockwait");
  disturb();
  const int result = real(condition, mutex, clock, until);
  disturb();
  return result;
}

// How atomics wait and wake.
long syscall(long number, ...) {
  static auto* const real = next(&syscall, "syscall");
  long arguments[6];
  std::va_list list;
  va_start(list, number);
  for (long& argument : arguments) argument = va_arg(list, long);
  va_end(list);
  const bool ordering = number == SYS_futex;
  if (ordering) disturb();
  const long result = real(number, arguments[0], arguments[1], arguments[2], arguments[3],
                           arguments[4], arguments[5]);
  if (ordering) disturb();
  return result;
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*function)(void*),
                   void* argument) {
  static auto* const real = next(&pthread_create, "pthread_create");
  auto start = std::make_unique<Start>(function, argument);
  const int result = real(thread, attributes, begin, start.get());
  if (result == 0) static_cast<void>(start.release());
  disturb(5);
  return result;
}
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
