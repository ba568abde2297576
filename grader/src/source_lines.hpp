#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "sandbox.hpp"

namespace grader {

// What `addr2line -a -f -C -i` says of these addresses ("0x12ab") of the program in `folder`: the
// address, then for each function at it a line with its name and one with file:line. Runs in a box,
// as the program's debug information is made from a submission. Empty when it can't be had within
// five seconds of processor time; at most 160 KiB. Blocks.
std::string source_lines(const Sandbox& sandbox, const std::filesystem::path& folder,
                         const std::vector<std::string>& addresses, const std::stop_token& stop);

}  // namespace grader
