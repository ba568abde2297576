// Versions of a header without what would give them away to a test that looks instead of testing:
// no comments, other line breaks, other sizes of objects and of functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace grader {

// The same program in another coat: comments are gone, white space is random, and each class with a
// private section holds some more bytes there, and functions more instructions. Behaves as `source`
// does. The same seed gives the same text.
std::string disguised(std::string_view source, std::uint64_t seed);

}  // namespace grader
