#include "death.hpp"

#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <signal.h>

#include "sanitizer_report.hpp"

namespace grader {
namespace {

constexpr std::size_t last_words = 4 * 1024;

std::string tail(const std::string& text) {
  return text.size() <= last_words ? text : text.substr(text.size() - last_words);
}

std::string signal_in_words(int signal) {
  switch (signal) {
    case SIGSEGV:
      return "the program touched memory it does not own (SIGSEGV)";
    case SIGBUS:
      return "the program touched memory that is not there (SIGBUS)";
    case SIGABRT:
      return "the program gave up (abort: a failed assertion, an exception nobody "
             "caught, or std::terminate)";
    case SIGFPE:
      return "the program divided by zero (SIGFPE)";
    case SIGILL:
      return "the program ran into an impossible instruction (SIGILL)";
    case SIGXCPU:
      return "the program used up its processor time";
    case SIGXFSZ:
      return "the program wrote a file that is too large";
    default:
      break;
  }
  const char* name = ::sigabbrev_np(signal);
  return fmt::format("the program was ended by signal {} (SIG{})", signal,
                     name == nullptr ? "?" : name);
}

bool explain_limits(const ProcessResult& process, TestResult& test) {
  switch (process.ending) {
    case Ending::out_of_memory:
      test.outcome = Outcome::crashed;
      test.headline = "the program used up its memory";
      return true;
    case Ending::too_many_processes:
      test.outcome = Outcome::crashed;
      test.headline = "the program started one process after another";
      return true;
    case Ending::flood:
      test.outcome = Outcome::crashed;
      test.headline = "the program printed without end";
      return true;
    case Ending::out_of_time:
      test.outcome = Outcome::hung;
      test.headline = fmt::format("the program did not come to an end: stopped after {:.0f} s",
                                  process.seconds);
      return true;
    case Ending::stuck:
      test.outcome = Outcome::hung;
      test.headline = process.stopped
                          ? "the program stopped itself (SIGSTOP) and never went on"
                          : "the program stood still, and even its watchdog did not speak";
      return true;
    default:
      return false;
  }
}

// Clang's sanitizers find only the program of their own version by themselves, which comes in a
// package of its own; addr2line comes with every linker. GCC's need neither.
std::string symbolizer() {
  for (const int version : {22, 21, 20, 19}) {
    auto path = fmt::format("/usr/bin/llvm-symbolizer-{}", version);
    if (std::filesystem::exists(path)) return path;
  }
  return "/usr/bin/addr2line";
}

}  // namespace

const std::string_view thread_suppressions =
    "# Not races: libstdc++ locks a bit of the pointer, and the count of an exception is kept\n"
    "# inside the library, where ThreadSanitizer does not look.\n"
    "race:^std::_Sp_atomic\n"
    "race:^std::__exception_ptr::exception_ptr\n"
    "race:^std::rethrow_exception\n"
    "# Nor this: ~stop_callback takes a thread that was given the number of one that has gone for\n"
    "# the one that ran the callback, and does not wait for it. The callback itself is looked at.\n"
    "race_top:^std::stop_token::_Stop_state_t::_M_remove_callback\n"
    "race_top:^std::stop_token::_Stop_state_t::_M_request_stop\n"
    "race_top:^std::stop_token::_Stop_cb::_M_run\n";

std::vector<std::string> sanitizer_environment(const std::string& folder, bool silent_races) {
  // Lock order inversions are left to the explorer: ThreadSanitizer reports them where they can't
  // bite (a gate lock around both), and a right solution must not fail.
  std::string thread = fmt::format(
      "halt_on_error=1 exitcode={} detect_deadlocks=0 report_thread_leaks=0 "
      "report_signal_unsafe=0 atexit_sleep_ms=0 history_size=4 suppressions={}/suppressions",
      race_exit, folder);
  if (silent_races) thread += " report_bugs=0";
  const auto lines = " external_symbolizer_path=" + symbolizer();
  return {
      "TSAN_OPTIONS=" + thread + lines,
      fmt::format("ASAN_OPTIONS=exitcode={} detect_leaks=1 detect_stack_use_after_return=1 "
                  "allocator_may_return_null=1 handle_abort=0",
                  memory_exit) +
          lines,
      fmt::format("UBSAN_OPTIONS=print_stacktrace=1 halt_on_error=1 exitcode={}", memory_exit) +
          lines,
      fmt::format("LSAN_OPTIONS=exitcode={}", memory_exit) + lines,
  };
}

int signal_of(const ProcessResult& process) {
  if (process.signal != 0) return process.signal;
  return process.exit_code > 128 && process.exit_code < 128 + 65 ? process.exit_code - 128 : 0;
}

void explain_death(const ProcessResult& process, std::string_view task_folder, TestResult& test) {
  if (explain_limits(process, test)) return;
  const bool sanitized =
      process.exit_code == race_exit || process.exit_code == memory_exit || signal_of(process) != 0;
  const auto report = sanitized ? find_sanitizer_report(process.err, task_folder) : std::nullopt;
  if (report) {
    test.outcome = report->outcome;
    test.headline = report->headline;
    test.detail = report->detail;
    if (!report->file.empty()) {
      test.failures.push_back({report->file, report->line, report->headline});
    }
    return;
  }
  if (process.exit_code == hang_exit) {
    test.outcome = Outcome::hung;
    if (test.headline.empty()) test.headline = "the test hangs";
    return;
  }
  test.outcome = Outcome::crashed;
  if (const int signal = signal_of(process); signal != 0) {
    test.headline = signal_in_words(signal);
  } else {
    test.headline = fmt::format("the program ended itself in the middle of this test (exit {})",
                                process.exit_code);
  }
  if (test.detail.empty()) test.detail = tail(process.err);
}

}  // namespace grader
