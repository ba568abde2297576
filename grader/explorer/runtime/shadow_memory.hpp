// Where shadow.cpp keeps what it knows: a cell for each eight bytes of memory, found through a hash
// table of pages. A cell of an earlier schedule counts as empty, so a new schedule costs nothing.
#pragma once

#include "state.hpp"

namespace explorer {

inline constexpr int slots_per_cell = 4;

// One access that is remembered.
struct Slot {
  std::uint32_t time;  // of the thread's clock
  std::uint32_t step;
  std::uint32_t pc;  // offset from the executable
  std::uint8_t thread;
  std::uint8_t bytes;  // one bit per byte of the eight
  std::uint8_t flags;
};

struct Cell {
  std::uint32_t generation;
  std::uint8_t count;
  bool sync;  // a mutex, condition variable or atomic lives here
  Slot slot[slots_per_cell];
};

// The cell of the eight bytes that begin at `granule`.
Cell& cell_at(Address granule);

// The same, or null when nothing is known.
Cell* existing_cell(Address granule);

// Forgets everything about that memory.
void forget_cells(Address address, std::size_t size);

void reset_shadow();

}  // namespace explorer
