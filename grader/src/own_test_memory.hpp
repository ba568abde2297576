// What earlier gradings found out about an own test, so that nothing is tried twice.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "own_test.hpp"

namespace grader {

// Remembers per text of my_test.cpp, in one JSON file. Not for several threads; two processes may
// overwrite each other's findings, which costs time and no verdict.
class OwnTestMemory {
 public:
  // `key` names everything a verdict depends on, but for the current header and the suspects.
  OwnTestMemory(const std::filesystem::path& folder, const std::string& key);

  // Chosen once for this text from std::random_device: nobody can know the disguises beforehand.
  std::uint64_t seed() const { return seed_; }

  std::optional<OwnTestReport> recall(const std::string& question) const;
  void remember(const std::string& question, const OwnTestReport& answer);

 private:
  void save() const;

  std::filesystem::path file_;
  std::uint64_t seed_ = 0;
  std::string answers_;  // a JSON object: question -> answer
};

}  // namespace grader
