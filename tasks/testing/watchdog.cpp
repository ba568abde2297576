#include "testing/watchdog.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

#include "testing/polling.hpp"
#include "testing/report.hpp"
#include "testing/reporter.hpp"
#include "testing/result_channel.hpp"
#include "testing/stacks.hpp"
#include "testing/threads.hpp"

namespace workbook {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// One look at the process per tick. Ticks are counted instead of time: when the whole machine was
// stopped for a while, nobody can have moved, and that proves nothing.
constexpr auto tick = 100ms;
constexpr int ticks_until_hang = 30;
constexpr int ticks_until_standstill = 50;  // with somebody inside eventually()
constexpr int ticks_with_outside = 100;
constexpr auto near_future = 10s;
constexpr auto carefree = 1s;  // most tests are over before any closer look is worth its cost
constexpr auto longest_wall_time = 180s;

struct Watched {
  std::string name;
  Clock::time_point start = Clock::now();
  threads::EffectiveTime effective{threads::list()};
  Clock::duration polled{0};  // spent in eventually(), while nothing else counted
  std::uint64_t switches = 0;
  std::vector<int> polling;
  int quiet_ticks = 0;
};

struct State {
  std::mutex mutex;
  std::optional<Watched> current;  // guarded by mutex
  // Written by start(), before there is anything to watch.
  std::vector<int> own;
  std::chrono::seconds limit{20};
};

State& state() {
  static auto* instance = new State;  // never destroyed: the watching thread outlives main()
  return *instance;
}

std::vector<int> pollers_now() {
  std::vector<int> tids;
  for (const auto& place : detail::pollers) {
    if (const int tid = place.load(std::memory_order_relaxed); tid != 0) tids.push_back(tid);
  }
  return tids;
}

std::vector<int> all_but(std::span<const int> some, std::span<const int> others = {}) {
  std::vector<int> rest;
  for (const int tid : threads::list()) {
    const bool excluded = std::ranges::find(some, tid) != some.end() ||
                          std::ranges::find(others, tid) != others.end();
    if (!excluded) rest.push_back(tid);
  }
  return rest;
}

enum class Verdict { may_go_on, waits_for_outside, stuck };

// Whether these threads can still be expected to do something without being woken from outside.
Verdict judge(std::span<const int> tids) {
  Verdict verdict = Verdict::stuck;
  for (const int tid : tids) {
    const auto seen = threads::look(tid);
    if (!seen || seen->state != 'S') return Verdict::may_go_on;
    const auto wait = threads::wait_of(tid);
    if (wait.what == threads::Wait::For::nothing || wait.until < Clock::now() + near_future) {
      return Verdict::may_go_on;
    }
    if (wait.what == threads::Wait::For::outside) verdict = Verdict::waits_for_outside;
  }
  return verdict;
}

// Ends the process without running anything else, sanitizers' last words included.
[[noreturn]] void leave(int status) {
  std::fflush(nullptr);
  ::syscall(SYS_exit_group, status);
  __builtin_unreachable();
}

[[noreturn]] void report_hang(const std::string& test, const std::string& reason) {
  const auto stacks = stacks::describe(stacks::capture(all_but(state().own)));
  const auto full = reason + circumstances();
  std::fprintf(stderr, "\n%s hangs: %s\n%s", test.c_str(), full.c_str(), stacks.text.c_str());
  ResultChannel::instance().send(Event("hang")
                                     .text("test", test)
                                     .text("reason", full)
                                     .text("file", stacks.first.file)
                                     .number("line", stacks.first.line)
                                     .text("stacks", stacks.text));
  leave(hang_status);
}

[[noreturn]] void report_starved(const std::string& test) {
  const std::string reason =
      "the machine is too busy: the test has hardly run within three minutes";
  std::fprintf(stderr, "\n%s: %s\n", test.c_str(), reason.c_str());
  ResultChannel::instance().send(Event("inconclusive").text("test", test).text("reason", reason));
  leave(starved_status);
}

// Counts the ticks in which no thread but our own and those in eventually() has moved.
void count_quiet(Watched& test) {
  auto excluded = state().own;
  auto polling = pollers_now();
  excluded.insert(excluded.end(), polling.begin(), polling.end());
  const auto switches = threads::switches_of_all_but(excluded);
  const bool quiet = switches == test.switches && polling == test.polling;
  test.quiet_ticks = quiet ? test.quiet_ticks + 1 : 0;
  test.switches = switches;
  test.polling = std::move(polling);
}

void look_for_standstill(Watched& test) {
  count_quiet(test);
  const bool polled = !test.polling.empty();
  const int first_look = polled ? ticks_until_standstill : ticks_until_hang;
  if (test.quiet_ticks < first_look) return;
  const auto verdict = judge(all_but(state().own, test.polling));
  if (verdict == Verdict::may_go_on) return;
  if (polled) {
    // Whoever polls may be watching something outside: then only its own limit ends that.
    if (verdict == Verdict::stuck && !threads::has_company()) {
      detail::standstills.fetch_add(1, std::memory_order_relaxed);
    }
    return;
  }
  if (verdict == Verdict::waits_for_outside && test.quiet_ticks < ticks_with_outside) return;
  report_hang(test.name, "every thread is blocked, and nothing is left to wake them");
}

void look_at_time(Watched& test, Clock::duration since_last_tick) {
  if (!test.polling.empty()) {
    test.effective.skip();
    test.polled += since_last_tick;
    return;
  }
  const auto elapsed = Clock::now() - test.start;
  if (elapsed < carefree) return;
  test.effective.advance(all_but(state().own));
  const auto limit = state().limit;
  if (test.effective.passed() >= limit) {
    report_hang(test.name, "the test has been running for " + std::to_string(limit.count()) +
                               " seconds without coming to an end");
  }
  if (elapsed - test.polled > std::max<Clock::duration>(longest_wall_time, 3 * limit)) {
    report_starved(test.name);
  }
}

void watch() {
  auto last = Clock::now();
  for (;;) {
    std::this_thread::sleep_for(tick);
    const auto now = Clock::now();
    const std::lock_guard lock(state().mutex);
    if (auto& test = state().current) {
      look_for_standstill(*test);
      look_at_time(*test, now - last);
    }
    last = now;
  }
}

}  // namespace

void Watchdog::start(std::chrono::seconds most) {
  state().limit = most;
  stacks::prepare();
  std::thread(watch).detach();
  const std::array<int, 1> caller{::getpid()};
  state().own = all_but(caller);
  report::own_threads = state().own.size();
}

void Watchdog::test_begins(const std::string& name) {
  const std::lock_guard lock(state().mutex);
  state().current.emplace().name = name;
}

void Watchdog::test_ends() {
  const std::lock_guard lock(state().mutex);
  state().current.reset();
}

std::string Watchdog::current_test() {
  const std::lock_guard lock(state().mutex);
  return state().current ? state().current->name : std::string();
}

const std::vector<int>& Watchdog::own_threads() { return state().own; }

}  // namespace workbook
