#include "process_tree.hpp"

#include <array>
#include <charconv>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <unistd.h>

#include "unique_fd.hpp"

namespace grader {
namespace {

std::string slurp(const std::string& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 4096> buffer;
  while (fd) {
    const auto got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return text;
}

// The n-th number (from 0) of a line of blank-separated fields.
std::uint64_t field(std::string_view text, unsigned n) {
  while (n-- > 0) {
    const auto blank = text.find(' ');
    if (blank == std::string_view::npos) return 0;
    text.remove_prefix(blank + 1);
  }
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void add_children(std::string_view list, std::vector<pid_t>& found) {
  while (!list.empty()) {
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(list.data(), list.data() + list.size(), pid);
    if (error != std::errc{}) return;
    found.push_back(pid);
    list.remove_prefix(static_cast<std::size_t>(end - list.data()));
    if (!list.empty()) list.remove_prefix(1);
  }
}

}  // namespace

std::vector<pid_t> process_tree(pid_t root, bool thorough) {
  constexpr std::size_t enough = 4096;
  std::vector<pid_t> found = {root};
  for (std::size_t next = 0; next < found.size() && found.size() < enough; ++next) {
    const pid_t pid = found[next];
    if (!thorough) {
      add_children(slurp(fmt::format("/proc/{}/task/{}/children", pid, pid)), found);
      continue;
    }
    std::error_code gone;
    for (const auto& task :
         std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid), gone)) {
      add_children(slurp(task.path().string() + "/children"), found);
    }
  }
  return found;
}

Usage usage_of(const std::vector<pid_t>& processes) {
  static const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  Usage usage;
  for (const pid_t pid : processes) {
    const auto memory = slurp(fmt::format("/proc/{}/statm", pid));
    if (memory.empty()) continue;
    usage.memory_bytes += field(memory, 1) * page;
    ++usage.processes;
    // The name may contain blanks and brackets; what follows its last bracket may not.
    const auto stat = slurp(fmt::format("/proc/{}/stat", pid));
    const auto name_end = stat.rfind(") ");
    if (name_end == std::string::npos) continue;
    const auto rest = std::string_view(stat).substr(name_end + 2);
    if (rest.front() == 'R' || rest.front() == 'D') usage.all_asleep = false;
    if (rest.front() == 'T') usage.stopped = true;
    usage.cpu_ticks += field(rest, 11) + field(rest, 12);
    usage.threads += static_cast<unsigned>(field(rest, 17));
  }
  return usage;
}

}  // namespace grader
