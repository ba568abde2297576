#include "clock.hpp"

#include <errno.h>
#include <sched.h>
#include <sys/time.h>
#include <unistd.h>

#include "scheduler.hpp"
#include "trace.hpp"

namespace explorer {
namespace {

constexpr Nanoseconds second = 1'000'000'000;
constexpr Nanoseconds monotonic_start = 100'000 * second;
constexpr Nanoseconds realtime_start = 1'700'000'000 * second;

bool is_realtime(clockid_t clock) {
  return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
}

Nanoseconds start_of(clockid_t clock) {
  return is_realtime(clock) ? realtime_start : monotonic_start;
}

Nanoseconds read_clock(clockid_t clock, Address where) {
  // Reading must not tick, or equal deadlines would never coincide; only a loop that does nothing
  // but look at the clock makes it move.
  note_idle(where, runtime.now);
  if (self->spin.spinning) yield_point(Op::clock);
  return start_of(clock) + runtime.now;
}

timespec to_timespec(Nanoseconds time) {
  return {static_cast<time_t>(time / second), static_cast<long>(time % second)};
}

void sleep_for(Nanoseconds duration) {
  self->op = Op::sleep;
  self->op_object = nullptr;
  if (!duration) {
    yield_point(Op::yield);
    return;
  }
  trace(Op::sleep, {.value = static_cast<std::int64_t>(duration)});
  block(WaitFor::sleep, nullptr, runtime.now + duration);
}

}  // namespace

Nanoseconds to_nanoseconds(const timespec& time) {
  if (time.tv_sec < 0) return 0;
  if (static_cast<Nanoseconds>(time.tv_sec) >= never / second) return never - 1;
  return static_cast<Nanoseconds>(time.tv_sec) * second + static_cast<Nanoseconds>(time.tv_nsec);
}

Nanoseconds deadline_on(clockid_t clock, const timespec& time) {
  Nanoseconds at = to_nanoseconds(time);
  return at > start_of(clock) ? at - start_of(clock) : 0;
}

}  // namespace explorer

using namespace explorer;

EXPLORER_EXPORT int clock_gettime(clockid_t clock, timespec* time) noexcept {
  if (!active() || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID) {
    static decltype(&::clock_gettime) real;  // by hand: it is called before anything is set up
    if (!real) real = reinterpret_cast<decltype(&::clock_gettime)>(find_real("clock_gettime"));
    return real(clock, time);
  }
  *time = to_timespec(read_clock(clock, EXPLORER_CALLER));
  return 0;
}

EXPLORER_EXPORT int gettimeofday(timeval* time, void* zone) noexcept {
  if (!active()) return EXPLORER_REAL(gettimeofday)(time, zone);
  Nanoseconds now = read_clock(CLOCK_REALTIME, EXPLORER_CALLER);
  *time = {static_cast<time_t>(now / second), static_cast<suseconds_t>(now % second / 1000)};
  return 0;
}

EXPLORER_EXPORT time_t time(time_t* out) noexcept {
  if (!active()) return EXPLORER_REAL(time)(out);
  time_t now = static_cast<time_t>(read_clock(CLOCK_REALTIME, EXPLORER_CALLER) / second);
  if (out) *out = now;
  return now;
}

EXPLORER_EXPORT int nanosleep(const timespec* time, timespec* rest) {
  if (!active()) return EXPLORER_REAL(nanosleep)(time, rest);
  sleep_for(to_nanoseconds(*time));
  return 0;
}

EXPLORER_EXPORT int clock_nanosleep(clockid_t clock, int flags, const timespec* time,
                                    timespec* rest) {
  if (!active()) return EXPLORER_REAL(clock_nanosleep)(clock, flags, time, rest);
  if (flags & TIMER_ABSTIME) {
    Nanoseconds until = deadline_on(clock, *time);
    sleep_for(until > runtime.now ? until - runtime.now : 0);
  } else {
    sleep_for(to_nanoseconds(*time));
  }
  return 0;
}

EXPLORER_EXPORT int usleep(useconds_t time) {
  if (!active()) return EXPLORER_REAL(usleep)(time);
  sleep_for(time * 1000ull);
  return 0;
}

EXPLORER_EXPORT unsigned sleep(unsigned time) {
  if (!active()) return EXPLORER_REAL(sleep)(time);
  sleep_for(time * second);
  return 0;
}

EXPLORER_EXPORT int sched_yield() noexcept {
  if (!active()) return static_cast<int>(raw_syscall(SYS_sched_yield));
  trace(Op::yield);
  yield_point(Op::yield);
  return 0;
}
