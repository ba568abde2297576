#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "model.hpp"

namespace grader {

// The outcomes of runs, by the contents of the program and the options of the run. Only outcomes
// that say something about the program are kept: nothing inconclusive, nothing interrupted.
class ResultsCache {
 public:
  explicit ResultsCache(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::optional<RunOutcome> find(const std::string& program_key, const RunOptions& options,
                                 const ExploreBudget& budget) const;
  // A full or read-only disk is no error: the outcome is not kept.
  void keep(const std::string& program_key, const RunOptions& options, const ExploreBudget& budget,
            const RunOutcome& outcome) const;

  // Lists of tests, by what they were read from.
  std::optional<std::vector<std::string>> find_list(const std::string& key) const;
  void keep_list(const std::string& key, const std::vector<std::string>& tests) const;

  // Removes what was not asked for in a long time.
  void forget_old_ones() const;

 private:
  std::filesystem::path folder_;
};

}  // namespace grader
