#pragma once

#include <string_view>

#include "unique_fd.hpp"

namespace grader {

// How often this machine has killed a process for want of memory since it started; 0 when unknown.
unsigned long out_of_memory_kills();

// Writes a line to a socket; false when that fails.
bool write_line(const UniqueFd& fd, std::string_view line);

}  // namespace grader
