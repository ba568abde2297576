// One schedule, from begin to end, and what a test program tells the runtime.
#pragma once

#include "state.hpp"

namespace explorer {

// Starts a schedule on the calling thread, which becomes thread 0. shared->plan says how.
void begin_schedule(std::uint64_t seed);

// The test body has returned: waits until every other thread has ended. Fails when one never will.
void wait_for_others();

// Back to the real world; the numbers of the schedule are in *shared.
void end_schedule();

// An assertion of the test did not hold / an exception got away / a signal arrived.
// Do nothing outside a schedule.
void report_check_failed(const char* file, int line, const char* message);
void report_escaped_exception(const char* message);
void report_crash(int signal, Address address);

// Internal: threads.cpp.
void prepare_threads();
Thread& add_thread();
void join_really();

}  // namespace explorer
