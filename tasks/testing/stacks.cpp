#include "testing/stacks.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <dlfcn.h>
#include <link.h>
#include <memory>
#include <set>
#include <span>
#include <string_view>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <thread>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include "testing/flavour.hpp"
#include "testing/stacks_text.hpp"
#include "testing/symbols.hpp"
#include "testing/uninstrumented.hpp"

namespace workbook::stacks {

namespace {

constexpr std::size_t most_threads = 200;

// Filled in by the thread whose stack it is, inside a signal handler: no allocation, no locks.
struct Slot {
  RawStack stack;
  std::size_t handlers_frames = 0;  // to be left out, innermost
  bool filled = false;              // set last, atomically
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

// Without initializers, which would make a constructor, and that would be instrumented.
struct Registers {
  std::uintptr_t instruction;
  std::uintptr_t frame;
};

WORKBOOK_UNINSTRUMENTED Registers registers_of(const ucontext_t& context) {
#if defined(__x86_64__)
  return {static_cast<std::uintptr_t>(context.uc_mcontext.gregs[REG_RIP]),
          static_cast<std::uintptr_t>(context.uc_mcontext.gregs[REG_RBP])};
#elif defined(__aarch64__)
  return {context.uc_mcontext.pc, context.uc_mcontext.regs[29]};
#else
  return {0, 0};
#endif
}

// Follows the frame pointers, which all code has that was compiled for a test. Asks the kernel to
// read, because a register may hold anything.
WORKBOOK_UNINSTRUMENTED void collect_by_frame_pointer(Registers registers, RawStack& stack) {
  auto* frames = reinterpret_cast<void**>(&stack.frames);
  frames[stack.count++] = reinterpret_cast<void*>(registers.instruction);
  struct {
    std::uintptr_t next;
    std::uintptr_t return_address;
  } record;  // NOLINT(*-member-init): would be memset(), which is instrumented
  while (stack.count < sizeof stack.frames / sizeof(void*)) {
    iovec here{&record, sizeof record};
    iovec there{reinterpret_cast<void*>(registers.frame), sizeof record};
    const long got = ::syscall(SYS_process_vm_readv, stack.process, &here, 1, &there, 1, 0);
    if (got != sizeof record || record.return_address == 0) return;
    frames[stack.count++] = reinterpret_cast<void*>(record.return_address - 1);
    if (record.next <= registers.frame) return;
    registers.frame = record.next;
  }
}

// ThreadSanitizer replaces functions that the unwinder calls. If the signal came while the thread
// was inside that runtime, holding its locks, then calling them would block it for good. Inside a
// shared library it is not there: nothing of that runtime calls one.
struct Text {
  std::uintptr_t begin;
  std::uintptr_t end;
};
std::array<Text, 64> library_text;  // written by prepare()
std::size_t library_count = 0;

WORKBOOK_UNINSTRUMENTED bool may_unwind(std::uintptr_t instruction) {
  if constexpr (flavour() != Flavour::thread) return true;
  const auto* texts = reinterpret_cast<const Text*>(&library_text);
  for (std::size_t i = 0; i < library_count; ++i) {
    if (texts[i].begin <= instruction && instruction < texts[i].end) return true;
  }
  return false;
}

WORKBOOK_UNINSTRUMENTED void on_dump(int, siginfo_t*, void* context) {
  const int saved = errno;
  Slot* slot = __atomic_load_n(&wanted, __ATOMIC_ACQUIRE);
  if (slot != nullptr && slot->stack.tid == ::syscall(SYS_gettid)) {
    const auto registers = registers_of(*static_cast<ucontext_t*>(context));
    if (may_unwind(registers.instruction)) {
      _Unwind_Backtrace(collect, &slot->stack);
      slot->handlers_frames = 2;  // the handler's and the kernel's return from it
    } else {
      collect_by_frame_pointer(registers, slot->stack);
    }
    __atomic_store_n(&slot->filled, true, __ATOMIC_RELEASE);
  }
  errno = saved;
}

int remember_library(dl_phdr_info* info, std::size_t, void*) {
  const std::string_view name = info->dlpi_name;
  const bool is_program_or_sanitizer = name.empty() || name.find("libtsan") != name.npos;
  if (is_program_or_sanitizer) return 0;
  for (const auto& part : std::span(info->dlpi_phdr, info->dlpi_phnum)) {
    if (part.p_type != PT_LOAD || (part.p_flags & PF_X) == 0) continue;
    if (library_count == library_text.size()) return 1;
    const auto begin = info->dlpi_addr + part.p_vaddr;
    library_text[library_count++] = {begin, begin + part.p_memsz};
  }
  return 0;
}

enum class Reaction { stack, none, ended };

// A stack that ends sooner than any thread's was asked for inside ThreadSanitizer's runtime, whose
// functions use the frame pointer for something else. The next moment may do.
constexpr std::size_t least_frames = 3;
constexpr int most_tries = 50;

Reaction fill_once(Slot& slot) {
  want(&slot);
  if (::syscall(SYS_tgkill, ::getpid(), slot.stack.tid, dump_signal()) != 0) return Reaction::ended;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  while (!__atomic_load_n(&slot.filled, __ATOMIC_ACQUIRE)) {
    if (std::chrono::steady_clock::now() > end) return Reaction::none;
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  return Reaction::stack;
}

Reaction fill(Slot& slot) {
  auto reaction = fill_once(slot);
  for (int i = 1; i < most_tries && reaction == Reaction::stack; ++i) {
    if (slot.stack.count >= least_frames) break;
    slot.stack.count = 0;
    slot.handlers_frames = 0;
    slot.filled = false;
    reaction = fill_once(slot);
  }
  return reaction;
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
  ::dl_iterate_phdr(remember_library, nullptr);
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
    slot->stack.process = ::getpid();
    const auto reaction = fill(*slot);
    want(nullptr);
    if (reaction == Reaction::stack) {
      stacks.push_back(to_stack(slot->stack, slot->handlers_frames));
      continue;
    }
    stacks.push_back({tid, {}});
    // The thread may still react, later: the slot has to stay.
    static auto* pending = new std::vector<std::unique_ptr<Slot>>;
    if (reaction == Reaction::none) pending->push_back(std::move(slot));
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
