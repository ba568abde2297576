// The stacks of the threads under control: at the same addresses in every schedule and process.
#pragma once

#include "state.hpp"

namespace explorer {

inline constexpr std::size_t stack_size = 1 << 20;

struct StackSpan {
  void* low;
  std::size_t size;
};

// Stack number `id`, mapped on first use.
StackSpan stack_for(int id);

// The thread in whose finished or already popped frames the address lies, -1: in none.
int thread_of_dead_frame(Address address);

// Signals of this thread are handled elsewhere: its own stack may be what overflowed.
void use_signal_stack(int id);

// The extent of the main thread's stack.
void note_main_stack(Thread& main);

}  // namespace explorer
