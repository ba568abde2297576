#pragma once

#include <cstdint>
#include <string_view>

namespace grader {

// Names of C that an object may ask for, by what they do.
enum class CallGroup : std::uint8_t { processes, files, network, inside };

// `inside`: changes the running program from within. No task opens these.
bool is_of(CallGroup group, std::string_view name);

// Whether anything is known of what it does: it belongs to a group, or does no harm.
bool is_known(std::string_view name);

}  // namespace grader
