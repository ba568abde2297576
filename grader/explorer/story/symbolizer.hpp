// From code addresses to the lines of source they came from.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "runtime/base.hpp"

namespace explorer {

struct Frame {
  std::string function;
  std::string file;
  int line = 0;
};

// An address stands for several frames where functions were inlined, innermost first.
using Frames = std::vector<Frame>;

// Asks llvm-symbolizer or addr2line, whichever the system has under /usr/bin. Addresses that can't
// be resolved are left out.
std::map<Address, Frames> symbolize(const std::vector<Address>& addresses);

}  // namespace explorer
