#include "expansion.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <optional>

namespace grader {
namespace {

// `# 12 "04_promise/promise.hpp" 1`: the file whose lines follow.
std::optional<std::filesystem::path> file_entered(std::string_view line) {
  const bool marker = line.starts_with("# ") && line.size() > 2 &&
                      std::isdigit(static_cast<unsigned char>(line[2])) != 0;
  const auto open = line.find('"');
  const auto close = line.rfind('"');
  if (!marker || open == std::string_view::npos || close <= open) return std::nullopt;
  return std::filesystem::path(line.substr(open + 1, close - open - 1)).lexically_normal();
}

bool is_submitted(const Stage& stage, const std::filesystem::path& file) {
  const auto found = std::ranges::find(stage.files, file, &StagedFile::path);
  return found != stage.files.end() && !found->trusted;
}

}  // namespace

std::size_t submitted_bytes(const Stage& stage, std::string_view expanded) {
  std::size_t bytes = 0;
  bool counts = false;
  while (!expanded.empty()) {
    const auto size = std::min(expanded.find('\n'), expanded.size() - 1) + 1;
    const auto line = expanded.substr(0, size);
    expanded.remove_prefix(size);
    if (const auto file = file_entered(line)) {
      counts = is_submitted(stage, *file);
    } else if (counts) {
      bytes += line.size();
    }
  }
  return bytes;
}

}  // namespace grader
