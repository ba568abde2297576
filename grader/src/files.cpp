#include "files.hpp"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace grader {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void fail(const fs::path& file, std::string_view doing) {
  throw std::system_error(errno, std::generic_category(),
                          fmt::format("{} {}", doing, file.string()));
}

}  // namespace

std::optional<std::string> read_regular_file(const fs::path& file, std::size_t limit) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info{};
  if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  if (static_cast<std::size_t>(info.st_size) > limit) return std::nullopt;
  std::string bytes(static_cast<std::size_t>(info.st_size), '\0');
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const auto got = ::read(fd.get(), bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

void write_whole_file(const fs::path& file, std::string_view bytes) {
  static std::atomic<unsigned> serial = 0;
  const fs::path scratch = fmt::format("{}.{}-{}", file.string(), ::getpid(), serial++);
  const UniqueFd fd(::open(scratch.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd) fail(scratch, "cannot write");
  while (!bytes.empty()) {
    const auto put = ::write(fd.get(), bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      const int error = errno;
      ::unlink(scratch.c_str());
      errno = error;
      fail(scratch, "cannot write");
    }
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  if (::rename(scratch.c_str(), file.c_str()) != 0) fail(file, "cannot rename to");
}

ScratchDir::ScratchDir(const fs::path& parent) {
  fs::create_directories(parent);
  std::string name = (parent / ".scratch-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) fail(parent, "cannot make a folder in");
  ::chmod(name.c_str(), 0755);
  path_ = name;
}

ScratchDir::~ScratchDir() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

void ScratchDir::keep_as(const fs::path& target) {
  if (::rename(path_.c_str(), target.c_str()) == 0) {
    path_.clear();
  } else if (errno != ENOTEMPTY && errno != EEXIST) {
    fail(target, "cannot rename to");
  }
}

FileLock::FileLock(const fs::path& file)
    : fd_(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
  if (!fd_) fail(file, "cannot open");
  while (::flock(fd_.get(), LOCK_EX) != 0) {
    if (errno != EINTR) fail(file, "cannot lock");
  }
}

}  // namespace grader
