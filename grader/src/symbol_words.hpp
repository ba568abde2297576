#pragma once

#include <cstdint>
#include <string_view>

namespace grader {

// Names of C that an object may ask for, by what they do.
enum class CallGroup : std::uint8_t { processes, files, network, inside };

// `inside`: changes the running program from within. No task opens these.
bool is_of(CallGroup group, std::string_view name);

bool is_in_a_group(std::string_view name);

// Known to do no harm. What is neither this nor in a group is unknown.
bool is_harmless(std::string_view name);

}  // namespace grader
