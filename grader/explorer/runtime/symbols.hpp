// What the runtime must know of the program's own code: where it is, and which library functions
// in it deserve special treatment. Filled in once, before the first schedule, by the host side.
#pragma once

#include "base.hpp"

namespace explorer {

struct CodeRange {
  Address begin, end;
};

inline constexpr int max_code_ranges = 512;

struct CodeMap {
  CodeRange program;                      // the executable's own code
  CodeRange suppressed[max_code_ranges];  // formally racy, known harmless; sorted
  int suppressed_count;
};

extern CodeMap code_map;

bool contains(const CodeRange* ranges, int count, Address pc);

inline bool in_program(Address pc) {
  return pc >= code_map.program.begin && pc < code_map.program.end;
}
inline bool has_suppressions() { return __builtin_expect(code_map.suppressed_count, 0); }
inline bool is_suppressed(Address pc) {
  return contains(code_map.suppressed, code_map.suppressed_count, pc);
}

}  // namespace explorer
