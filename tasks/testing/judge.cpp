#include "testing/judge.hpp"

#include <array>
#include <fcntl.h>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/spawn.hpp"
#include "testing/flavour.hpp"
#include "testing/reporter.hpp"
#include "testing/watchdog.hpp"

#if defined(WORKBOOK_FLAVOUR_ADDRESS)
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif

namespace workbook {

namespace {

void fail_at(const stacks::Place& place, const testing::TestInfo& test,
             const std::string& message) {
  const bool known = !place.file.empty();
  ADD_FAILURE_AT(known ? place.file.c_str() : test.file(), known ? place.line : test.line())
      << message;
}

#if defined(WORKBOOK_FLAVOUR_ADDRESS)
bool leaks_reported = false;

// What LeakSanitizer has to say about the memory that nobody can reach now; empty when all is well.
std::string lost_memory() {
  const int file = ::memfd_create("leaks", MFD_CLOEXEC);
  __sanitizer_set_report_fd(reinterpret_cast<void*>(static_cast<std::intptr_t>(file)));
  const bool lost = __lsan_do_recoverable_leak_check() != 0;
  __sanitizer_set_report_fd(reinterpret_cast<void*>(std::intptr_t{STDERR_FILENO}));
  std::string text;
  if (lost) {
    std::array<char, 6000> buffer{};
    const auto got = ::pread(file, buffer.data(), buffer.size(), 0);
    text.assign(buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    if (text.empty()) text = "LeakSanitizer found unreachable memory";
  }
  ::close(file);
  return text;
}
#endif

}  // namespace

void Judge::OnTestStart(const testing::TestInfo& test) {
  leftovers_.remember();
  Watchdog::test_begins(full_name(test));
}

void Judge::OnTestEnd(const testing::TestInfo& test) {
  Watchdog::test_ends();
  const bool all_ended = check_threads(test);
  check_exceptions(test);
  if (all_ended) check_memory(test);
}

bool Judge::check_threads(const testing::TestInfo& test) {
  const auto tids = leftovers_.wait();
  if (tids.empty()) return true;
  threads_were_left_ = true;
  const auto report = stacks::describe(stacks::capture(tids));
  fail_at(report.first, test,
          (tids.size() == 1 ? "a thread was left behind:\n"
                            : std::to_string(tids.size()) + " threads were left behind:\n") +
              report.text);
  return false;
}

void Judge::check_exceptions(const testing::TestInfo& test) {
  for (const auto& text : futures::take_escaped_exceptions()) {
    const auto unwritten = text.find("not implemented yet");
    fail_at({}, test, unwritten == std::string::npos ? text : text.substr(unwritten));
  }
}

void Judge::check_memory([[maybe_unused]] const testing::TestInfo& test) {
#if defined(WORKBOOK_FLAVOUR_ADDRESS)
  if (leaks_reported || test.result()->Failed()) return;
  if (const auto text = lost_memory(); !text.empty()) {
    // The same memory would be found again and again: what later tests lose is not told.
    leaks_reported = true;
    fail_at({}, test, "memory was lost:\n" + text);
  }
#endif
}

}  // namespace workbook

#if defined(WORKBOOK_FLAVOUR_ADDRESS)
// LeakSanitizer asks this before a check, also before the one at the end of the process.
extern "C" int __lsan_is_turned_off() { return workbook::leaks_reported ? 1 : 0; }
#endif
