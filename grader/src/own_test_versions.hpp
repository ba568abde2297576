// The versions that an own test is tried against.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "own_test.hpp"

namespace grader {

struct Version {
  std::string name;                 // for the report
  std::string flaw;                 // its first line's comment, for the workbook's
  std::filesystem::path original;   // as it was written
  std::filesystem::path disguised;  // as the test gets to see it
  std::string hash;                 // of the original's tokens
  bool passes_basic = false;        // for certain; else it has to be tried
};

struct Versions {
  Version current;
  std::vector<Version> rights;  // the reference first
  std::vector<Version>
      suspects;  // the learner's newest first, then the workbook's, as they are met
};

// The known flawed versions as an own test meets them: first those that task.toml names, because
// they pass Basic and nearly every test breaks them, then the others by name. Each costs a
// compilation.
std::vector<std::filesystem::path> in_order_of_meeting(const Task& task,
                                                       std::vector<std::filesystem::path> files);

// Whether task.toml names it as one of those that own tests meet first.
bool is_met_first(const Task& task, const std::filesystem::path& file);

// Reads all versions; those equal to the starter, to the current header or to a right version are
// no suspects. Nothing is disguised yet.
Versions collect_versions(const OwnTestCase& own);

// Writes a disguised copy below `folder`, under a name that says nothing, unless it is there.
void disguise(Version& version, const std::filesystem::path& folder, std::uint64_t seed);

// "03_notify_after_unlock.hpp" -> "notify after unlock".
std::string spoken_name(const std::filesystem::path& file);

// The first sentence of the comment on the first lines, without slashes; empty when there is none.
std::string first_sentence(std::string_view source);

}  // namespace grader
