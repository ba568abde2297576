#include "ledger_files.hpp"

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>

namespace grader {
namespace {

constexpr mode_t kFolderMode = 0755;
constexpr mode_t kFileMode = 0644;

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

UniqueFd open_folder(int parent, const char* name, bool create) {
  if (create && ::mkdirat(parent, name, kFolderMode) == 0) ::fsync(parent);
  return UniqueFd(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

bool read_file_at(int folder, const char* name, std::string& contents, std::size_t limit) {
  // O_NONBLOCK: a pipe of that name must not hold us up; fstat then tells it from a file.
  const UniqueFd fd(::openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status{};
  if (!fd || ::fstat(fd.get(), &status) != 0) return false;
  if (!S_ISREG(status.st_mode) || static_cast<std::size_t>(status.st_size) > limit) {
    errno = S_ISREG(status.st_mode) ? EFBIG : EINVAL;
    return false;
  }
  contents.resize(static_cast<std::size_t>(status.st_size));
  std::size_t have = 0;
  while (have < contents.size()) {
    const auto got = ::read(fd.get(), contents.data() + have, contents.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  contents.resize(have);
  return true;
}

bool write_file_at(int folder, const std::string& name, std::string_view contents) {
  const auto temporary = name + ".tmp";
  ::unlinkat(folder, temporary.c_str(), 0);  // what a killed grader may have left
  const UniqueFd fd(
      ::openat(folder, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kFileMode));
  if (!fd) return false;
  if (write_all(fd.get(), contents) && ::fsync(fd.get()) == 0 &&
      ::renameat(folder, temporary.c_str(), folder, name.c_str()) == 0) {
    ::fsync(folder);
    return true;
  }
  const int why = errno;
  ::unlinkat(folder, temporary.c_str(), 0);
  errno = why;
  return false;
}

bool append_all(int fd, std::string_view line, off_t size_before) {
  if (write_all(fd, line) && ::fsync(fd) == 0) return true;
  const int why = errno;
  // Making a file shorter needs no space, so this works on a full disk too. Were it to fail, the
  // next reader finds a torn line and puts it aside.
  if (::ftruncate(fd, size_before) != 0) errno = why;
  errno = why;
  return false;
}

bool lock_exclusively(int fd) {
  using namespace std::chrono_literals;
  const auto give_up = std::chrono::steady_clock::now() + 10s;
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return false;
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

}  // namespace grader
