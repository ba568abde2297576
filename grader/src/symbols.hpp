#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace grader {

// An object file's symbols, from `nm -P`.
struct Symbols {
  std::set<std::string, std::less<>> wanted;     // undefined: called or read
  std::set<std::string, std::less<>> functions;  // defined for other objects to see
  std::set<std::string, std::less<>> weak;  // as well, by whoever comes first: templates, inline
  std::set<std::string, std::less<>> data;
};

Symbols parse_symbols(std::string_view nm_output);

// Wants no more what `inline_functions` defines, their tables and variables included: a program
// without a copy of its own calls those of the tests for what their templates do with its types.
void forgive_inline_functions(Symbols& symbols, const Symbols& inline_functions);

// What is suspicious about a submission's object file, each with the reason to refuse it. None
// when all of it can also be found in an honest build of the same suite: pass `honest` (the
// reference's symbols) when the first call, without it, found something.
struct SymbolObjection {
  std::string symbol;
  std::string reason;
};
struct SymbolRules {
  std::span<const std::string> allows;  // what task.toml opens: "files", "processes", "network"
  // A suite may call what GoogleTest and the kit offer, as far as the honest build does. Not in
  // every flavour: the honest build of each would have to be made, and the text is the same.
  bool tests = false;
};
std::vector<SymbolObjection> object_to_symbols(const Symbols& submitted, const Symbols* honest,
                                               const SymbolRules& rules);

}  // namespace grader
