// What happened to each eight bytes of memory: who read, wrote or freed them last, and when.
// Finds data races by vector clocks, uses after free and uses of a dead stack frame.
#pragma once

#include "objects.hpp"
#include "state.hpp"

namespace explorer {

enum AccessFlag : std::uint8_t { access_write = 1, access_atomic = 2, access_free = 4 };

// Checks and records an access. Call from the thread that makes it.
void on_access(Address address, std::size_t size, int flags, Address pc);

// A synchronisation object is used: that counts as an (atomic) access to its first byte, so that
// destroying it without waiting for this use is a race in every schedule.
void use_sync_object(const void* object, Address pc);

// Only checks that the memory has not been freed and its frame not been left.
void check_alive(const void* address, Address pc);

// The block is given back: from now on every access to it is an error. `checked` also compares
// with earlier accesses that nothing orders before.
void on_free(Address address, std::size_t size, Address pc, bool checked);

// Fails when it is a mutex somebody holds or a condition variable somebody waits on.
void check_destroyed(Object& object);

// Marks the memory of an object so that a plain write over it is noticed.
void mark_sync_object(const void* address);

}  // namespace explorer
