#include "testing/stacks.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <dlfcn.h>
#include <memory>
#include <set>
#include <sys/syscall.h>
#include <thread>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include "testing/stacks_text.hpp"
#include "testing/symbols.hpp"
#include "testing/uninstrumented.hpp"

namespace workbook::stacks {

namespace {

constexpr std::size_t most_threads = 200;

// Filled in by the thread whose stack it is, inside a signal handler: no allocation, no locks.
struct Slot {
  RawStack stack;
  bool filled;  // set last, atomically
};

// The slot that a dump signal is out for. Built-in atomics, because std::atomic's members would be
// instrumented.
Slot* wanted = nullptr;

void want(Slot* slot) { __atomic_store_n(&wanted, slot, __ATOMIC_RELEASE); }

int dump_signal() { return SIGRTMAX - 3; }

WORKBOOK_UNINSTRUMENTED _Unwind_Reason_Code collect(_Unwind_Context* context, void* into) {
  auto* stack = static_cast<RawStack*>(into);
  if (stack->count == sizeof stack->frames / sizeof(void*)) return _URC_END_OF_STACK;
  int at_instruction = 0;
  auto address = _Unwind_GetIPInfo(context, &at_instruction);
  // A return address is behind the call it belongs to, maybe on the next line.
  if (at_instruction == 0) --address;
  auto* frames = reinterpret_cast<void**>(&stack->frames);  // operator[] would be instrumented
  frames[stack->count++] = reinterpret_cast<void*>(address);
  return _URC_NO_REASON;
}

WORKBOOK_UNINSTRUMENTED void on_dump(int, siginfo_t*, void*) {
  const int saved = errno;
  Slot* slot = __atomic_load_n(&wanted, __ATOMIC_ACQUIRE);
  if (slot != nullptr && slot->stack.tid == ::syscall(SYS_gettid)) {
    _Unwind_Backtrace(collect, &slot->stack);
    __atomic_store_n(&slot->filled, true, __ATOMIC_RELEASE);
  }
  errno = saved;
}

bool fill(Slot& slot) {
  want(&slot);
  if (::syscall(SYS_tgkill, ::getpid(), slot.stack.tid, dump_signal()) != 0) return false;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  while (!__atomic_load_n(&slot.filled, __ATOMIC_ACQUIRE)) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  return true;
}

}  // namespace

int real_sigaction(int number, const struct sigaction* action) {
  using Function = int (*)(int, const struct sigaction*, struct sigaction*);
  static const auto function = [] {
    void* library = ::dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    void* symbol = library != nullptr ? ::dlsym(library, "sigaction") : nullptr;
    return symbol != nullptr ? reinterpret_cast<Function>(symbol) : &::sigaction;
  }();
  return function(number, action, nullptr);
}

void prepare() {
  struct sigaction action{};
  action.sa_sigaction = on_dump;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  real_sigaction(dump_signal(), &action);
}

std::vector<Stack> capture(std::span<const int> tids) {
  std::vector<Stack> stacks;
  for (const int tid : tids.first(std::min(tids.size(), most_threads))) {
    auto slot = std::make_unique<Slot>();
    slot->stack.tid = tid;
    const bool reacted = fill(*slot);
    want(nullptr);
    if (reacted) {
      // The first two frames are the handler's and the kernel's return from it.
      stacks.push_back(to_stack(slot->stack, 2));
    } else {
      stacks.push_back({tid, {}});
      slot.release();  // the thread may still react, later
    }
  }
  return stacks;
}

WORKBOOK_UNINSTRUMENTED void capture_here(RawStack& raw) {
  raw.tid = static_cast<int>(::syscall(SYS_gettid));
  _Unwind_Backtrace(collect, &raw);
}

Stack to_stack(const RawStack& raw, std::size_t skipped) {
  const std::span<void* const> frames(raw.frames.data(), raw.count);
  const auto kept = frames.subspan(std::min(skipped, frames.size()));
  return {raw.tid, {kept.begin(), kept.end()}};
}

Report describe(const std::vector<Stack>& stacks) {
  std::set<void*> addresses;
  for (const auto& stack : stacks) addresses.insert(stack.frames.begin(), stack.frames.end());
  return in_words(stacks, look_up(addresses));
}

}  // namespace workbook::stacks
