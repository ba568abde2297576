// Who runs. One thread at a time: before each visible operation the running thread asks here.
#pragma once

#include "objects.hpp"
#include "state.hpp"

namespace explorer {

// A visible operation on `object` comes next: another thread may run first.
// Returns the object, looked up once the thread's turn has come.
Object& schedule_point(Op op, const void* address, ObjectKind kind);

// The thread has nothing to do but wait for others, and says so without blocking.
void yield_point(Op op);

// Blocks until wake_* or the deadline. True when the deadline ended it.
bool block(WaitFor what, const void* object, Nanoseconds deadline = never);

void wake_all(WaitFor what, const void* object);
int waiting(WaitFor what, const void* object);

// Wakes one waiter, which one is a choice. Returns its number, -1 when there was none.
int wake_one(WaitFor what, const void* object, int sequence);

// A thread's first and last moments.
void wait_for_first_turn(Thread& thread);
void finish_thread(Thread& thread);

// The thread looked at something and may be looping: see SpinDetector.
void note_idle(Address where, std::uint64_t value);
// The thread changed something others can see.
void note_progress();

}  // namespace explorer
