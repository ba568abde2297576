// From addresses to functions and lines. For stacks.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace workbook::stacks {

struct Symbol {
  std::string function;  // demangled, without its parameters
  std::string file;      // as the compiler was given it; empty when unknown
  int line = 0;
};

// What is at each of these addresses: several symbols, innermost first, where functions were
// inlined. Runs addr2line once, or has the grader run it, which takes a second at most; without it
// only the names of shared libraries' functions are known. An unknown address has no entry.
std::map<void*, std::vector<Symbol>> look_up(const std::set<void*>& addresses);

}  // namespace workbook::stacks
