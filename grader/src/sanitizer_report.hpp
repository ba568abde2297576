#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model.hpp"

namespace grader {

// What a sanitizer said, made short.
struct SanitizerReport {
  Outcome outcome = Outcome::sanitizer;
  std::string headline;  // "data race: write at promise.hpp:31, read at promise.hpp:40"
  std::string detail;    // the report itself, from its first line, capped
  std::string file;      // innermost place in the learner's header; empty when there is none
  int line = 0;
};

// The first report in what a program printed to stderr. `folder` ("04_promise") tells the
// learner's files in its stacks.
std::optional<SanitizerReport> find_sanitizer_report(std::string_view stderr_text,
                                                     std::string_view folder);

}  // namespace grader
