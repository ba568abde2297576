#pragma once

#include <cstddef>
#include <string_view>

#include "stage.hpp"

namespace grader {

// How much of the preprocessor's output comes from submitted files: known before anything is made
// of it that takes many times that much memory.
std::size_t submitted_bytes(const Stage& stage, std::string_view expanded);

}  // namespace grader
