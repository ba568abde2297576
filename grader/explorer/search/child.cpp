#include "search/child.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cxxabi.h>
#include <exception>
#include <fcntl.h>
#include <signal.h>
#include <string>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <typeinfo>
#include <unistd.h>

#include "runtime/heap.hpp"
#include "runtime/objects.hpp"
#include "runtime/schedule.hpp"
#include "runtime/stacks.hpp"
#include "runtime/strategy.hpp"
#include "search/process.hpp"
#include "search/watchdog.hpp"

namespace explorer {
namespace {

constexpr int exit_failed = 10;  // and above: see failure.cpp

double effort_before_fork;  // in a child: what had been spent when it began

double read_clock(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

void on_signal(int signal, siginfo_t* info, void*) {
  report_crash(signal, reinterpret_cast<Address>(info->si_addr));
  // Between two schedules.
  shared->failure.signal = signal;
  shared->failure.kind = FailureKind::crash;
  ::_exit(exit_failed + static_cast<int>(FailureKind::crash));
}

[[noreturn]] void on_terminate() {
  Thread* thread = self;
  self = nullptr;  // what follows is not the test's doing
  char text[1024] = "std::terminate was called: was a joinable std::thread destroyed?";
  if (const std::type_info* type = abi::__cxa_current_exception_type()) {
    int status = 0;
    char* name = abi::__cxa_demangle(type->name(), nullptr, nullptr, &status);
    std::snprintf(text, sizeof text, "%s", name ? name : type->name());
    try {
      throw;
    } catch (const std::exception& error) {
      std::snprintf(text, sizeof text, "%s: %s", name ? name : type->name(), error.what());
    } catch (...) {
    }
    self = thread;
    report_escaped_exception(text);
  }
  self = thread;
  report_crash(SIGABRT, 0);
  std::abort();
}

void prepare_child(const Batch& batch) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!batch.output) {
    const int null = ::open("/dev/null", O_WRONLY);
    if (null >= 0) {
      ::dup2(null, STDOUT_FILENO);
      ::dup2(null, STDERR_FILENO);
    }
  }
  use_signal_stack(0);
  struct sigaction action{};
  action.sa_sigaction = on_signal;
  action.sa_flags = static_cast<int>(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND);
  for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP})
    ::sigaction(signal, &action, nullptr);
  std::set_terminate(on_terminate);
}

// Runs one schedule after which everything that happens once has happened.
void warm_up(const RunOnce& run_once) {
  Plan plan = shared->plan;
  int size = shared->script_size;
  std::uint64_t seed = shared->seed;
  shared->plan = Plan{};
  shared->plan.strategy = Strategy::script;
  shared->plan.max_steps = plan.max_steps;
  shared->script_size = 0;
  shared->seed = 0;
  run_once(0);
  shared->plan = plan;
  shared->script_size = size;
  shared->seed = seed;
}

// Which objects are shared is learned on the way; a search that started without knowing starts
// again, at once while that is cheap.
bool search_starts_again(std::uint64_t ran, bool at_end) {
  constexpr std::uint64_t cheap = 300;
  if (!shared->discovered_count || (!at_end && ran > cheap)) return false;
  adopt_discovered_objects();
  shared->path_size = 0;
  return true;
}

[[noreturn]] void end_orderly() {
  std::fflush(nullptr);
  shared->orderly = true;
  ::_exit(0);
}

[[noreturn]] void run_child(const Batch& batch, const RunOnce& run_once) {
  prepare_child(batch);
  Processor processor({.wall = wall_seconds(), .effort = effort_seconds()});
  if (batch.warm_up) warm_up(run_once);
  if (shared->skipped) end_orderly();
  bool search = batch.plan.strategy == Strategy::search;
  if (search && shared->path_size == 0) adopt_discovered_objects();
  for (std::uint64_t i = 0; i < batch.count; ++i) {
    shared->seed = batch.first_seed + i;
    run_once(shared->seed);
    shared->schedules = shared->schedules + 1;
    if (search && !search_starts_again(shared->schedules, false) && !advance_search() &&
        !search_starts_again(shared->schedules, true)) {
      shared->exhausted = true;
      break;
    }
    if (shared->skipped || !heap_has_room()) break;
    const Processor::Times now{.wall = wall_seconds(), .effort = effort_seconds()};
    if (batch.until != 0 && now.effort > batch.until) break;
    if (batch.wall_until != 0 && now.wall > batch.wall_until) break;
    processor.leave_if_crowded(now);
  }
  end_orderly();
}

// The runtime writes down a failure before it ends the child with the status of that kind. Whoever
// ends with such a status and wrote nothing down is the code under test.
bool is_reported(int status, FailureKind kind) {
  return kind != FailureKind::none && WEXITSTATUS(status) == exit_failed + static_cast<int>(kind);
}

}  // namespace

Shared& shared_memory() {
  if (!shared) {
    void* memory =
        ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::perror("explorer: mmap"), std::exit(3);
    shared = static_cast<Shared*>(memory);
    load_code_map();
  }
  return *shared;
}

double wall_seconds() { return read_clock(CLOCK_MONOTONIC); }

double effort_seconds() {
  rusage children{};
  ::getrusage(RUSAGE_CHILDREN, &children);
  auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return effort_before_fork + read_clock(CLOCK_PROCESS_CPUTIME_ID) + seconds(children.ru_utime) +
         seconds(children.ru_stime);
}

ChildResult run_in_child(const Batch& batch, const RunOnce& run_once) {
  Shared& memory = shared_memory();
  memory.plan = batch.plan;
  memory.failure.kind = FailureKind::none;
  memory.failure.message[0] = '\0';
  memory.failure.signal = 0;
  memory.exhausted = false;
  memory.orderly = false;
  memory.event_count = 0;
  memory.decision_count = 0;
  memory.seed = batch.first_seed;
  std::uint64_t before = memory.schedules;

  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) std::perror("explorer: pipe"), std::exit(3);
  std::fflush(nullptr);
  double effort = effort_seconds();
  pid_t child = ::fork();
  if (child < 0) std::perror("explorer: fork"), std::exit(3);
  if (child == 0) {
    ::close(ends[0]);
    effort_before_fork = effort;
    run_child(batch, run_once);
  }
  ::close(ends[1]);
  bool killed = watch_child(child, ends[0]);
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }

  ChildResult result;
  result.ran = memory.schedules - before;
  if (killed) {
    result.failure = memory.failure.kind = FailureKind::cannot_explore;
    result.blocked_outside = true;
    std::snprintf(memory.failure.message, sizeof memory.failure.message,
                  "a thread waits, or runs for long, without the explorer seeing it: in a system "
                  "call of its own, or in a loop that touches no shared memory");
  } else if (WIFSIGNALED(status)) {
    result.failure = memory.failure.kind = FailureKind::crash;
    memory.failure.signal = WTERMSIG(status);
  } else if (is_reported(status, memory.failure.kind)) {
    result.failure = memory.failure.kind;
  } else if (!memory.orderly || WEXITSTATUS(status) != 0) {
    // The code under test called exit() itself.
    result.failure = memory.failure.kind = FailureKind::crash;
    memory.failure.signal = 0;
    std::snprintf(memory.failure.message, sizeof memory.failure.message,
                  "the program ended itself with status %d", WEXITSTATUS(status));
  }
  return result;
}

}  // namespace explorer
