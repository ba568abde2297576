// The steps of a scene, gathered to what is worth showing: consecutive steps of a thread at one
// line are one entry, the library's inner life is left out.
#pragma once

#include <string>
#include <vector>

#include "story/scene.hpp"

namespace explorer {

struct Entry {
  int thread = 0;
  Place place;
  std::vector<std::string> actions;
  Nanoseconds clock_jump = 0;  // how far the clock moved since the entry before
  std::uint32_t step = 0;
};

std::vector<Entry> entries_of(const Scene& scene);

// The threads that get a column: those that do something, in order.
std::vector<int> shown_threads(const Scene& scene);

}  // namespace explorer
