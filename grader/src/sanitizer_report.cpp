#include "sanitizer_report.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <vector>

namespace grader {
namespace {

constexpr std::size_t longest_report = 12 * 1024;

struct Place {
  std::string file;
  int line = 0;
};

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// "    #1 futures::Promise<int>::resolve(int) 04_promise/promise.hpp:31:5 (program+0x1234)"
std::optional<Place> place_in(std::string_view frame, std::string_view folder) {
  const auto hash = frame.find_first_not_of(' ');
  if (hash == std::string_view::npos || frame[hash] != '#') return std::nullopt;
  const auto prefix = fmt::format("{}/", folder);
  const auto at = frame.rfind(prefix);
  if (at == std::string_view::npos) return std::nullopt;
  const auto colon = frame.find(':', at);
  if (colon == std::string_view::npos) return std::nullopt;
  Place place;
  place.file = std::string(frame.substr(at, colon - at));
  std::from_chars(frame.data() + colon + 1, frame.data() + frame.size(), place.line);
  return place;
}

bool is_header(const Place& place) { return !place.file.ends_with(".cpp"); }

std::string bare(const Place& place) {
  return fmt::format("{}:{}", place.file.substr(place.file.rfind('/') + 1), place.line);
}

// The innermost place of one stack: in the header if it passes there, else in the test.
std::optional<Place> innermost(const std::vector<std::string_view>& lines, std::size_t from,
                               std::string_view folder) {
  std::optional<Place> in_test;
  for (auto i = from; i < lines.size(); ++i) {
    const auto start = lines[i].find_first_not_of(' ');
    if (start == std::string_view::npos || lines[i][start] != '#') break;
    const auto place = place_in(lines[i], folder);
    if (!place) continue;
    if (is_header(*place)) return place;
    if (!in_test) in_test = place;
  }
  return in_test;
}

std::string lower_first_word(std::string_view line) {
  auto text = std::string(line.substr(line.find_first_not_of(' ')));
  const auto end = text.find(" of size");
  text.resize(std::min(end, text.size()));
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;  // "write", "previous atomic read"
}

SanitizerReport thread_report(const std::vector<std::string_view>& lines, std::size_t first,
                              std::string_view folder) {
  SanitizerReport report;
  const auto title = lines[first].substr(lines[first].find("ThreadSanitizer: ") + 17);
  std::string what(title.substr(0, title.find(" (pid")));
  if (what.contains("race")) report.outcome = Outcome::raced;
  report.headline = what;
  std::string separator = ": ";
  for (auto i = first + 1; i < lines.size() && !lines[i].starts_with("====="); ++i) {
    const bool access = lines[i].contains(" of size ") && lines[i].ends_with(":");
    if (!access) continue;
    const auto place = innermost(lines, i + 1, folder);
    report.headline += separator + lower_first_word(lines[i]);
    if (place) {
      report.headline += " at " + bare(*place);
      if (report.file.empty() || (is_header(*place) && report.file.ends_with(".cpp"))) {
        report.file = place->file;
        report.line = place->line;
      }
    }
    separator = ", ";
  }
  return report;
}

SanitizerReport address_report(const std::vector<std::string_view>& lines, std::size_t first,
                               std::string_view folder) {
  SanitizerReport report;
  const auto line = lines[first];
  if (line.contains("LeakSanitizer")) {
    report.headline = "memory is never freed";
  } else if (const auto ubsan = line.find("runtime error: "); ubsan != std::string_view::npos) {
    report.headline = "undefined behaviour: " + std::string(line.substr(ubsan + 15));
    if (const auto at = line.find(fmt::format("{}/", folder)); at < ubsan) {
      const auto colon = line.find(':', at);
      report.file = std::string(line.substr(at, colon - at));
      std::from_chars(line.data() + colon + 1, line.data() + line.size(), report.line);
    }
  } else {
    auto what = line.substr(line.find("AddressSanitizer: ") + 18);
    what = what.substr(0, std::min(what.find(" on "), what.find(" 0x")));
    report.headline = std::string(what);
  }
  for (auto i = first + 1; i < lines.size() && report.file.empty(); ++i) {
    const auto start = lines[i].find_first_not_of(' ');
    if (start == std::string_view::npos || !lines[i].substr(start).starts_with("#0")) continue;
    if (const auto place = innermost(lines, i, folder)) {
      report.file = place->file;
      report.line = place->line;
    }
  }
  if (!report.file.empty()) report.headline += " at " + bare({report.file, report.line});
  return report;
}

}  // namespace

std::optional<SanitizerReport> find_sanitizer_report(std::string_view stderr_text,
                                                     std::string_view folder) {
  const auto lines = lines_of(stderr_text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const bool thread = lines[i].contains("WARNING: ThreadSanitizer: ") ||
                        lines[i].contains("ERROR: ThreadSanitizer: ");
    const bool address = lines[i].contains("ERROR: AddressSanitizer: ") ||
                         lines[i].contains("ERROR: LeakSanitizer: ") ||
                         lines[i].contains(" runtime error: ");
    if (!thread && !address) continue;
    auto report = thread ? thread_report(lines, i, folder) : address_report(lines, i, folder);
    const auto offset = static_cast<std::size_t>(lines[i].data() - stderr_text.data());
    report.detail = std::string(stderr_text.substr(offset, longest_report));
    return report;
  }
  return std::nullopt;
}

}  // namespace grader
