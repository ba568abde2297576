// The results for machines: grader/results.schema.json describes them.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "grading.hpp"

namespace grader {

// Raised when a field changes its meaning or goes away; new fields don't count.
inline constexpr int results_version = 1;

nlohmann::json results_json(const GradeReport& report);

// Writes the file whole or not at all. Throws MachineError.
void write_results(const GradeReport& report, const std::filesystem::path& file);

}  // namespace grader
