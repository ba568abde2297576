#pragma once

#include <string>

namespace grader {

// The reason without its place, and the line it is about.
struct Objection {
  int line = 0;
  std::string reason;
};

}  // namespace grader
