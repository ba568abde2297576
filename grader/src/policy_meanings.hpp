#pragma once

#include <optional>
#include <span>

#include "objection.hpp"
#include "tokens.hpp"

namespace grader {

// Declarations of a header that change what the tests' own words mean: specialisations of the
// library or the runtime, comparisons of given types, functions in namespace std.
//
// Suites compare what they get with ==, so a comparison that always holds would pass them. What a
// header compares of its own is its own business.
// `declarations`: these are declarations, and not a macro's body.
std::optional<Objection> object_to_meanings(std::span<const Token> tokens, bool declarations);

}  // namespace grader
