// What to call a mutex, an atomic, ... : as the learner's own line calls it, where that can be
// told.
#pragma once

#include <string>
#include <vector>

#include "runtime/shared.hpp"
#include "story/symbolizer.hpp"

namespace explorer {

// What the frames between an operation and the learner's line say about the object.
enum class Belongs {
  learner,    // the learner's code uses it directly
  library,    // an inner part of something the learner uses: a shared_ptr's count, ...
  invisible,  // of no interest at all: the test framework's, static guards
};

struct Ownership {
  Belongs belongs = Belongs::learner;
  std::string what;  // "the count of a shared_ptr"; empty: go by the source line
};

Ownership ownership_of(const std::vector<const Frame*>& frames, const Frame* learner);

// std::condition_variable_any has a mutex of its own, used nowhere else.
bool inside_condition_variable_any(const std::vector<const Frame*>& frames, const Frame* learner);

// The name in the source line of the object that an operation of that kind works on, or "".
std::string name_in_line(ObjectKind kind, const std::string& line);

// A name for an object that has none: "mutex A".
std::string made_up_name(ObjectKind kind, int number);

}  // namespace explorer
