#include "testing/crash.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <string>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <thread>
#include <ucontext.h>
#include <unistd.h>

#include "testing/flavour.hpp"
#include "testing/reporter.hpp"
#include "testing/result_channel.hpp"
#include "testing/stacks.hpp"
#include "testing/uninstrumented.hpp"
#include "testing/watchdog.hpp"

namespace workbook {

namespace {

// The first crash: the crashing thread writes it and waits, the telling thread reads it.
struct Crash {
  int state;  // 0 none, 1 being written, 2 to be told, 3 told; atomic
  int signal;
  std::uintptr_t address;  // of the access that failed
  std::uintptr_t stack_pointer;
  stacks::RawStack stack;
};
Crash crash{};
int bell = -1;  // an eventfd that on_crash() rings

void say(const std::string& what, const stacks::Stack& stack) {
  const auto test = Watchdog::current_test();
  Watchdog::test_ends();  // what follows takes a moment, in which nothing else moves
  const auto report = stacks::describe({stack});
  const auto message = what + circumstances() + "\n" + report.text;
  std::fprintf(stderr, "\n%s\n", message.c_str());
  ResultChannel::instance().send(Event("failure")
                                     .text("test", test)
                                     .text("file", report.first.file)
                                     .number("line", report.first.line)
                                     .text("message", message));
}

std::string describe_signal() {
  const auto distance = crash.address > crash.stack_pointer ? crash.address - crash.stack_pointer
                                                            : crash.stack_pointer - crash.address;
  std::array<char, 100> text{};
  switch (crash.signal) {
    case SIGABRT:
      return "the program called abort()";
    case SIGFPE:
      return "the program crashed: division by zero, or another impossible calculation";
    case SIGILL:
      return "the program crashed: it came to an instruction that does not exist";
    default:
      if (distance < 64 * 1024) {
        return "the program crashed: the stack overflowed, a recursion goes too deep";
      }
      std::snprintf(text.data(), text.size(),
                    "the program crashed: invalid memory access at address %#lx",
                    static_cast<unsigned long>(crash.address));
      return text.data();
  }
}

// What a thread says that ends because nobody caught its exception.
std::string describe_exception() {
  try {
    const auto current = std::current_exception();
    if (current == nullptr) return "the program called std::terminate()";
    std::rethrow_exception(current);
  } catch (const std::exception& e) {
    std::string what = e.what();
    if (what.starts_with("not implemented yet")) return what;
    return "an exception left a thread, which ends the program: " + what;
  } catch (...) {
    return "an exception left a thread, which ends the program; it is not a std::exception";
  }
}

WORKBOOK_UNINSTRUMENTED std::uintptr_t stack_pointer_of(const ucontext_t& context) {
#if defined(__x86_64__)
  return static_cast<std::uintptr_t>(context.uc_mcontext.gregs[REG_RSP]);
#elif defined(__aarch64__)
  return context.uc_mcontext.sp;
#else
  return 0;
#endif
}

WORKBOOK_UNINSTRUMENTED void wait_until_told() {
  const timespec moment{0, 10'000'000};
  for (int turn = 0; turn < 1500 && __atomic_load_n(&crash.state, __ATOMIC_ACQUIRE) != 3; ++turn) {
    ::syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &moment, nullptr);
  }
}

// Returning lets the process die: the default action is restored, and the instruction is tried
// again. abort() does not need even that.
WORKBOOK_UNINSTRUMENTED void on_crash(int number, siginfo_t* info, void* context) {
  int none = 0;
  if (__atomic_compare_exchange_n(&crash.state, &none, 1, false, __ATOMIC_ACQ_REL,
                                  __ATOMIC_ACQUIRE)) {
    crash.signal = number;
    crash.address = reinterpret_cast<std::uintptr_t>(info->si_addr);
    crash.stack_pointer = stack_pointer_of(*static_cast<ucontext_t*>(context));
    stacks::capture_here(crash.stack);
    __atomic_store_n(&crash.state, 2, __ATOMIC_RELEASE);
    const std::uint64_t one = 1;
    ::syscall(SYS_write, bell, &one, sizeof one);
  }
  wait_until_told();
  struct sigaction deadly{};
  deadly.sa_handler = SIG_DFL;
  stacks::real_sigaction(number, &deadly);
}

// A thread of its own puts the crash in words: the crashed one may hold any lock.
void tell_when_it_happens() {
  std::uint64_t rings = 0;
  while (::read(bell, &rings, sizeof rings) < 0 && errno == EINTR) {
  }
  say(describe_signal(), stacks::to_stack(crash.stack, 2));
  __atomic_store_n(&crash.state, 3, __ATOMIC_RELEASE);
}

// An exception that nobody catches: the stack still shows who threw it.
[[noreturn]] void on_terminate() {
  stacks::RawStack stack;
  stacks::capture_here(stack);
  int none = 0;
  if (__atomic_compare_exchange_n(&crash.state, &none, 3, false, __ATOMIC_ACQ_REL,
                                  __ATOMIC_ACQUIRE)) {
    say(describe_exception(), stacks::to_stack(stack, 1));
  }
  std::abort();
}

void catch_signal(int number) {
  struct sigaction action{};
  action.sa_sigaction = on_crash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  stacks::real_sigaction(number, &action);
}

}  // namespace

void report_crashes() {
  bell = ::eventfd(0, EFD_CLOEXEC);
  std::thread(tell_when_it_happens).detach();
  std::set_terminate(on_terminate);
  catch_signal(SIGABRT);
  if constexpr (flavour() != Flavour::plain) return;  // the sanitizers report the others better
  // Of its own, because a stack that has overflowed has no room for a handler.
  static std::array<std::byte, 64 * 1024> handler_stack;
  const stack_t place{handler_stack.data(), 0, handler_stack.size()};
  ::sigaltstack(&place, nullptr);
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) catch_signal(number);
}

}  // namespace workbook
