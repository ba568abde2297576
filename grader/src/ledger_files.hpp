// The ledger's dealings with the file system: every name is opened relative to a folder that is
// held open, and no symbolic link is followed, since a submission may be anybody's.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "unique_fd.hpp"

namespace grader {

// All functions report failure through errno unless they say otherwise.

// A folder below `parent` (AT_FDCWD for a path); created when missing and `create` is set.
UniqueFd open_folder(int parent, const char* name, bool create);

// A regular file of at most `limit` bytes, whole; empty optional-like: false when there is none.
bool read_file_at(int folder, const char* name, std::string& contents, std::size_t limit);

// Writes the file whole or not at all: a temporary beside it, synced, then renamed.
bool write_file_at(int folder, const std::string& name, std::string_view contents);

// Appends in one write and syncs; on failure the file is as it was. `fd` is open with O_APPEND.
bool append_all(int fd, std::string_view line, off_t size_before);

// An exclusive lock that ends with the descriptor. Waits up to ten seconds for another holder.
bool lock_exclusively(int fd);

}  // namespace grader
