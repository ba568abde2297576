#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "unique_fd.hpp"

namespace grader {

// A file's bytes, or nullopt when it can't be read or has more than `limit` of them. Follows no
// symlink in the last component and never blocks: a fifo or a device is not read.
std::optional<std::string> read_regular_file(const std::filesystem::path& file, std::size_t limit);

// Writes to a name of its own and renames: a reader sees the old file or the whole new one.
// Throws std::system_error.
void write_whole_file(const std::filesystem::path& file, std::string_view bytes);

// A folder of its own below `parent`, removed with everything in it when the object dies.
class ScratchDir {
 public:
  // Throws std::system_error.
  explicit ScratchDir(const std::filesystem::path& parent);
  ~ScratchDir();
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;

  const std::filesystem::path& path() const { return path_; }

  // Renames the folder to `target`. When somebody else made that first, theirs stays and this one
  // is removed as usual.
  void keep_as(const std::filesystem::path& target);

 private:
  std::filesystem::path path_;
};

// Held while it lives, by one process (and one object) at a time; waits for the others.
class FileLock {
 public:
  // Throws std::system_error.
  explicit FileLock(const std::filesystem::path& file);

 private:
  UniqueFd fd_;
};

}  // namespace grader
