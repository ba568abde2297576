#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "model.hpp"

namespace grader {

// A file as the compiler will see it: relative to the folder of the stage.
struct StagedFile {
  std::filesystem::path path;  // "04_promise/promise.hpp"
  std::string bytes;
  bool trusted = false;  // the task's own suite; everything else comes from a submission
};

// All of a submission that a program is made from, read once: what is judged is what was read.
struct Stage {
  std::vector<StagedFile> files;
  std::vector<std::string> include_dirs;  // relative, in the order of the search
  std::filesystem::path source;           // relative
  std::string refused;                    // why it can't be staged; then the rest is of no use

  const StagedFile& source_file() const;
};

// Reads the program's files. Follows no symlink and reads no device; nothing is written. Besides
// the header, other headers of its folder come along when it has the name the task gives it.
Stage collect(const Program& program, const std::vector<Task>& tasks);

// Writes the files below `folder`. Throws std::system_error.
void write_files(const Stage& stage, const std::filesystem::path& folder);

// The same, with links to the runtime and the kit beside them.
void write_stage(const Stage& stage, const std::filesystem::path& folder,
                 const std::filesystem::path& runtime, const std::filesystem::path& testing);

// True for the suite that belongs to a task: what a submission cannot bring along.
bool is_suite(const std::filesystem::path& source);

}  // namespace grader
