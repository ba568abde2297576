#include "testing/threads.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "testing/census.hpp"

namespace workbook::threads {

namespace {

using namespace std::chrono_literals;

// Whoever looks every tenth of a second and comes so late was stopped, and so was everybody: a
// virtual machine whose clock went on while it was not running, a process after SIGSTOP.
constexpr Clock::duration longest_step = 1500ms;
// Whoever is switched during so many looks in a row counts as one of the others.
constexpr int most_looks = 5;

// The beginning of a file of /proc as it is now, empty when it can't be read.
std::string read_file(const char* path) {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  std::string text(4096, '\0');
  const auto got = ::read(fd, text.data(), text.size());
  ::close(fd);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

std::string read_task_file(int tid, const char* name) {
  std::array<char, 64> path{};
  std::snprintf(path.data(), path.size(), "/proc/self/task/%d/%s", tid, name);
  return read_file(path.data());
}

// The text after "key:", up to the end of its line.
std::string_view field(std::string_view text, std::string_view key) {
  const auto at = text.find(key);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + key.size());
  text = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return text;
}

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Clock::duration to_duration(const timespec& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

Clock::duration now_of(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return to_duration(time);
}

// Reads a timespec that another thread's system call refers to. The thread may be gone: the kernel
// looks, so that a stale address is an error and not a crash.
std::optional<timespec> peek(std::uint64_t address) {
  timespec time{};
  const int fd = ::open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  const auto got = ::pread(fd, &time, sizeof time, static_cast<off_t>(address));
  ::close(fd);
  if (got != sizeof time) return std::nullopt;
  return time;
}

// The latest moment at which a wait that takes `time` on `clock` can end.
Clock::time_point wake_up(std::uint64_t address, bool absolute, clockid_t clock) {
  if (address == 0) return Clock::time_point::max();
  const auto time = peek(address);
  if (!time) return Clock::now();  // it is moving: look again
  const auto left = absolute ? to_duration(*time) - now_of(clock) : to_duration(*time);
  const auto now = Clock::now();
  return left < Clock::time_point::max() - now ? now + left : Clock::time_point::max();
}

struct SystemCall {
  long number = -1;
  std::array<std::uint64_t, 6> arguments{};
};

// "202 0x7f.. 0x189 0x0 ..." while the thread is inside a system call, "running" otherwise.
std::optional<SystemCall> system_call_of(std::string_view text) {
  SystemCall call;
  const auto* end = text.data() + text.size();
  auto [at, error] = std::from_chars(text.data(), end, call.number);
  if (error != std::errc{} || call.number < 0) return std::nullopt;
  for (auto& argument : call.arguments) {
    if (end - at < 4) return std::nullopt;
    at = std::from_chars(at + 3, end, argument, 16).ptr;  // behind " 0x"
  }
  return call;
}

Wait futex_wait(const SystemCall& call) {
  const auto operation = call.arguments[1];
  const auto command = operation & static_cast<unsigned>(FUTEX_CMD_MASK);
  const bool real_time = (operation & FUTEX_CLOCK_REALTIME) != 0;
  const bool absolute = command != FUTEX_WAIT;
  if (command != FUTEX_WAIT && command != FUTEX_WAIT_BITSET && command != FUTEX_LOCK_PI &&
      command != FUTEX_WAIT_REQUEUE_PI) {
    return {};
  }
  return {Wait::For::a_thread,
          wake_up(call.arguments[3], absolute,
                  real_time || command == FUTEX_LOCK_PI ? CLOCK_REALTIME : CLOCK_MONOTONIC)};
}

// How long the thread was ready but had no processor, in all.
Clock::duration run_delay(int tid) {
  const auto text = read_task_file(tid, "schedstat");  // "time running, time waiting (ns), turns"
  const auto space = text.find(' ');
  if (space == std::string::npos) return Clock::duration(0);
  return std::chrono::nanoseconds(number(std::string_view(text).substr(space + 1)));
}

// What the host of a virtual machine took from all its processors, in all.
Clock::duration stolen() {
  const auto text =
      read_file("/proc/stat");  // "cpu  user nice system idle iowait irq softirq steal"
  std::string_view rest = field(text, "cpu");
  for (int skipped = 0; skipped < 7; ++skipped) {
    rest.remove_prefix(std::min(rest.find(' '), rest.size()));
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  }
  static const auto ticks = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  return std::chrono::milliseconds(number(rest) * 1000 / ticks);
}

}  // namespace

std::vector<int> list() {
  std::vector<int> tids;
  DIR* folder = ::opendir("/proc/self/task");
  if (folder == nullptr) return {::getpid()};
  while (const auto* entry = ::readdir(folder)) {
    if (entry->d_name[0] != '.') tids.push_back(std::atoi(entry->d_name));
  }
  ::closedir(folder);
  std::ranges::sort(tids);
  return tids;
}

std::optional<Sighting> look(int tid) {
  const auto status = read_task_file(tid, "status");
  const auto state = field(status, "State:");
  if (state.empty() || state[0] == 'Z' || state[0] == 'X') return std::nullopt;
  return Sighting{state[0], number(field(status, "\nvoluntary_ctxt_switches:")) +
                                number(field(status, "\nnonvoluntary_ctxt_switches:"))};
}

Wait wait_of(int tid) {
  const auto text = read_task_file(tid, "syscall");
  if (text.starts_with("running")) return {Wait::For::nothing, Clock::now()};
  const auto call = system_call_of(text);
  if (!call) return {};
  switch (call->number) {
    case SYS_futex:
      return futex_wait(*call);
    case SYS_clock_nanosleep:
      return {Wait::For::a_thread,
              wake_up(call->arguments[2], (call->arguments[1] & TIMER_ABSTIME) != 0,
                      static_cast<clockid_t>(call->arguments[0]))};
    case SYS_nanosleep:
      return {Wait::For::a_thread, wake_up(call->arguments[0], false, CLOCK_MONOTONIC)};
    default:
      return {};
  }
}

std::uint64_t switches_of_all_but(std::span<const int> excluded) {
  const auto of_excluded = [&] {
    std::uint64_t count = 0;
    for (const int tid : excluded) {
      if (const auto seen = look(tid)) count += seen->switches;
    }
    return count;
  };
  std::uint64_t all = 0;
  auto theirs = of_excluded();
  // One of them that is switched between the two looks would be taken for one of the others.
  for (int turn = 0; turn < most_looks; ++turn) {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    all = static_cast<std::uint64_t>(usage.ru_nvcsw + usage.ru_nivcsw);
    const auto before = std::exchange(theirs, of_excluded());
    if (before == theirs) break;
  }
  return all - theirs;
}

bool has_company() {
  for (const int tid : list()) {
    if (!read_task_file(tid, "children").empty()) return true;
  }
  int sockets = 0;
  for (int fd = 3; fd < 1024; ++fd) {
    struct stat what{};
    if (::fstat(fd, &what) == 0 && S_ISSOCK(what.st_mode)) ++sockets;
  }
  return sockets > 1;  // one may be the result channel
}

EffectiveTime::EffectiveTime() { skip(); }

EffectiveTime::EffectiveTime(std::span<const int> tids) : EffectiveTime() {
  for (const int tid : tids) delays_.emplace(tid, run_delay(tid));
  knows_all_ = true;
}

void EffectiveTime::skip() {
  last_ = Clock::now();
  used_ = now_of(CLOCK_PROCESS_CPUTIME_ID);
  stolen_ = stolen();
  delays_.clear();
  knows_all_ = false;
}

void EffectiveTime::advance(std::span<const int> tids) {
  const auto now = Clock::now();
  const auto used = now_of(CLOCK_PROCESS_CPUTIME_ID);
  const auto gone = stolen();
  std::map<int, Clock::duration> delays;
  Clock::duration longest{0};
  for (const int tid : tids) {
    const auto delay = run_delay(tid);
    const auto before = delays_.find(tid);
    if (before != delays_.end()) {
      longest = std::max(longest, delay - before->second);
    } else if (knows_all_) {  // born since
      longest = std::max(longest, delay);
    }
    delays.emplace(tid, delay);
  }
  const auto processors = std::max(1u, std::thread::hardware_concurrency());
  longest += (gone - stolen_) / processors;
  // A thread's delay is known only once it runs again, so one step may take back earlier ones.
  const auto step = std::min(now - last_ - longest, longest_step);
  passed_ += std::max(step, (used - used_) / processors);
  passed_ = std::max(passed_, Clock::duration(0));
  last_ = now;
  used_ = used;
  stolen_ = gone;
  delays_ = std::move(delays);
  knows_all_ = true;
}

}  // namespace workbook::threads

#if !defined(WORKBOOK_FLAVOUR_THREAD) && !defined(WORKBOOK_FLAVOUR_ADDRESS) && \
    !defined(WORKBOOK_FLAVOUR_EXPLORED)
std::size_t workbook::mapped_areas() {
  const int fd = ::open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  std::size_t lines = 0;
  std::array<char, 4096> text{};
  for (ssize_t got = 0; (got = ::read(fd, text.data(), text.size())) > 0;) {
    lines += static_cast<std::size_t>(std::count(text.data(), text.data() + got, '\n'));
  }
  ::close(fd);
  return lines;
}
#endif
