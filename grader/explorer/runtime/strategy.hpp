// How the next thread is picked among those that can run.
#pragma once

#include "state.hpp"

namespace explorer {

struct Candidates {
  Thread* thread[max_threads];
  int count;
  Thread* current;  // null when the running thread can't go on
  bool yielding;    // it could, but would rather not
};

Thread& choose_thread(Candidates& candidates, Thread& last);

// Prepares a schedule's strategy; a new thread's priority.
void start_strategy(std::uint64_t seed);
std::uint64_t new_priority();

// The schedule is long: from here on everybody gets a fair turn and no surprises.
void become_fair();
[[noreturn]] void give_up_on_length();

// Moves the search to the next unexplored path; false when there is none.
bool advance_search();

}  // namespace explorer
