#pragma once

#include <string>
#include <string_view>

namespace grader {

// The compiler's (or linker's) first error for a beginner: the place as "promise.hpp:12:5" in the
// learner's own code where there is one, the message without the template avalanche, the source
// line with its mark. `log` is what GCC, Clang, GNU ld, lld or mold said; empty for an empty log.
// `folder` ("04_promise") tells the learner's files from the library's.
std::string first_error(std::string_view log, std::string_view folder);

}  // namespace grader
