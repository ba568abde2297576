// The heap of a schedule; see heap.cpp.
#pragma once

#include "base.hpp"

namespace explorer {

void begin_heap();

// False: what outlived the schedules has used up a region, a new process is due.
bool heap_has_room();

void free_memory(void* pointer, Address pc);

// A name for the memory at `address` that is the same in every schedule in which its thread did the
// same before: blocks that stayed alive from earlier schedules shift the addresses.
Address identity_of(Address address);

}  // namespace explorer
