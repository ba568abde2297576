#include "stacks.hpp"

#include <signal.h>
#include <sys/mman.h>

#include "failure.hpp"

namespace explorer {
namespace {

constexpr Address wanted_base = 0x210000000000;
constexpr std::size_t guard_size = 1 << 16;
constexpr std::size_t stride = stack_size + guard_size;

Address base;
bool mapped[max_threads];

void reserve() {
  if (base) return;
  long got = raw_syscall(SYS_mmap, static_cast<long>(wanted_base),
                         static_cast<long>(stride * max_threads), PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  if (got < 0 && got > -4096)
    got = raw_syscall(SYS_mmap, 0, static_cast<long>(stride * max_threads), PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (got < 0 && got > -4096) cannot_explore("there is no memory for stacks");
  base = static_cast<Address>(got);
}

}  // namespace

StackSpan stack_for(int id) {
  reserve();
  Address low = base + static_cast<Address>(id) * stride + guard_size;
  if (!mapped[id]) {
    if (raw_syscall(SYS_mprotect, static_cast<long>(low), static_cast<long>(stack_size),
                    PROT_READ | PROT_WRITE) < 0)
      cannot_explore("there is no memory for the stack of thread %d", id);
    mapped[id] = true;
  }
  return {reinterpret_cast<void*>(low), stack_size};
}

void use_signal_stack(int id) {
  constexpr std::size_t size = 1 << 15;
  static char* memory;
  if (!memory) memory = static_cast<char*>(map_memory(size * max_threads));
  stack_t stack{};
  stack.ss_sp = memory + static_cast<std::size_t>(id) * size;
  stack.ss_size = size;
  sigaltstack(&stack, nullptr);
}

int thread_of_dead_frame(Address address) {
  int owner = -1;
  if (base && address >= base && address < base + stride * max_threads)
    owner = static_cast<int>((address - base) / stride);
  else if (address >= threads[0].stack_low && address < threads[0].stack_high)
    owner = 0;
  if (owner < 0) return -1;
  const Thread& thread = threads[owner];
  if (owner >= runtime.thread_count || &thread == self) return -1;
  if (thread.state == ThreadState::finished) return owner;
  return thread.parked_at && address < thread.parked_at ? owner : -1;
}

void note_main_stack(Thread& main) {
  main.stack_high = address_of(__builtin_frame_address(0)) + 512;
  main.stack_low = main.stack_high - (4 << 20);
}

}  // namespace explorer
