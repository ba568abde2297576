#include "own_test_versions.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <fmt/format.h>
#include <iterator>
#include <ranges>
#include <utility>

#include "digest.hpp"
#include "disguise.hpp"
#include "files.hpp"
#include "similarity.hpp"
#include "text.hpp"

namespace grader {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNewestKept = 4;

Version read_version(std::string name, const fs::path& file) {
  const auto source = slurp(file);
  return {.name = std::move(name),
          .flaw = {},
          .original = file,
          .disguised = {},
          .hash = token_hash(source),
          .passes_basic = false};
}

// Their number for all others.
std::ptrdiff_t place_among_those_met_first(const Task& task, const fs::path& file) {
  const auto& names = task.own_test_meets_first;
  return std::ranges::find(names, file.stem().string()) - names.begin();
}

}  // namespace

std::string spoken_name(const fs::path& file) {
  auto name = file.stem().string();
  const auto letters = name.find_first_not_of("0123456789_-");
  if (letters != std::string::npos) name.erase(0, letters);
  std::ranges::replace(name, '_', ' ');
  return name;
}

std::string first_sentence(std::string_view source) {
  std::string comment;
  while (source.starts_with("//")) {
    auto line = source.substr(0, source.find('\n'));
    source.remove_prefix(std::min(line.size() + 1, source.size()));
    while (line.starts_with('/')) line.remove_prefix(1);
    comment += (comment.empty() ? "" : " ") + std::string(trimmed(line));
    if (comment.ends_with('.')) break;
  }
  for (auto stop = comment.find(". "); stop != std::string::npos;
       stop = comment.find(". ", stop + 1)) {
    if (stop + 2 < comment.size() &&
        std::isupper(static_cast<unsigned char>(comment[stop + 2])) != 0) {
      return comment.substr(0, stop + 1);
    }
  }
  return comment;
}

std::vector<fs::path> in_order_of_meeting(const Task& task, std::vector<fs::path> files) {
  std::ranges::sort(files, {}, [&](const fs::path& file) {
    return std::pair(place_among_those_met_first(task, file), file);
  });
  return files;
}

bool is_met_first(const Task& task, const fs::path& file) {
  return place_among_those_met_first(task, file) < std::ssize(task.own_test_meets_first);
}

Versions collect_versions(const OwnTestCase& own) {
  const auto& task = *own.task;
  const auto& solution = task.solution;
  Versions versions;
  versions.current = read_version("your header", own.submission->dir / task.folder / task.header);
  versions.rights.push_back(read_version("the reference", solution / task.header));
  for (const auto& file : headers_in(solution / "alternative")) {
    versions.rights.push_back(read_version("another right version", file));
  }
  const auto add = [&](Version version) {
    const auto same = [&](const Version& other) { return other.hash == version.hash; };
    if (version.hash == task.starter_hash || same(versions.current) ||
        std::ranges::any_of(versions.rights, same) ||
        std::ranges::any_of(versions.suspects, same)) {
      return;
    }
    versions.suspects.push_back(std::move(version));
  };
  for (const auto& kept : own.kept | std::views::reverse | std::views::take(kNewestKept)) {
    add(read_version(fmt::format("your version {}", kept.number), kept.file));
  }
  for (const auto& file : in_order_of_meeting(task, headers_in(solution / "earlier"))) {
    auto version = read_version(fmt::format("the workbook's \"{}\"", spoken_name(file)), file);
    version.flaw = first_sentence(slurp(file));
    // That they do is why they are named; `audit` looks whether it is true.
    version.passes_basic = is_met_first(task, file);
    add(std::move(version));
  }
  return versions;
}

void disguise(Version& version, const fs::path& folder, std::uint64_t seed) {
  const auto name = sha256(fmt::format("{} {}", seed, version.hash)).substr(0, 16);
  version.disguised = folder / (name + ".hpp");
  if (fs::exists(version.disguised)) return;
  fs::create_directories(folder);
  const auto number = std::stoull(name.substr(0, 15), nullptr, 16);
  write_whole_file(version.disguised, disguised(slurp(version.original), seed ^ number));
}

}  // namespace grader
