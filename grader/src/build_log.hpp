#pragma once

#include <filesystem>
#include <string>

#include "model.hpp"
#include "process.hpp"

namespace grader {

inline constexpr unsigned compile_cpu_seconds = 60;
inline constexpr std::uint64_t compile_memory = std::uint64_t{4} << 30;

// What a compilation's end means for its author: the error, or that the machine was in the way.
// `folder` is the task's ("04_promise"); `build_dir` is looked at for free space.
void judge_compilation(const ProcessResult& result, const std::string& log,
                       const std::string& folder, const std::filesystem::path& build_dir,
                       BuildOutcome& outcome);

// Kept beside a program: how its build ended.
std::string to_json(const BuildOutcome& outcome);
BuildOutcome build_outcome_from_json(const std::string& text);  // throws std::exception

}  // namespace grader
