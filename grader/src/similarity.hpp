// Is this header somebody else's in disguise? Compared by tokens, so that comments, white space
// and line breaks never matter.
#pragma once

#include <string>
#include <string_view>

namespace grader {

// Names the exact text of a source, whatever its layout: two sources have the same hash when they
// differ in comments and white space only. Recognises untouched starters and versions already kept.
std::string token_hash(std::string_view source);

// Names the shape of a source: as token_hash, but every identifier counts only by the order of
// its first use, literals' contents and #include lines do not count at all. A copy with other
// names has the same shape as the original.
std::string shape_hash(std::string_view source);

}  // namespace grader
