// When the clock moves: when everybody waits for it, and when those who don't only poll.
#pragma once

#include "state.hpp"

namespace explorer {

inline constexpr std::uint32_t restless_run = 4000;  // operations without ever waiting: it polls

// Its time is up: runnable again.
void time_out(Thread& thread);

// Every thread whose moment has come.
void fire_timers();

// Moves the clock to the earliest deadline. False when there is none.
bool advance_to_next_timer();

// It is runnable, but its next step is to take a lock that another thread holds.
bool would_block(const Thread& thread);

// The thread polls. Once every thread that could run only polls, time passes for them.
void pass_time(Thread& current);

}  // namespace explorer
