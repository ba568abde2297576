// Names of tests, the way GoogleTest lists and filters them.
#include <algorithm>

#include "runner.hpp"

namespace grader {
namespace {

bool matches(std::string_view text, std::string_view pattern) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() == '*') {
    return matches(text, pattern.substr(1)) || (!text.empty() && matches(text.substr(1), pattern));
  }
  if (text.empty() || (pattern.front() != '?' && pattern.front() != text.front())) return false;
  return matches(text.substr(1), pattern.substr(1));
}

bool matches_any(std::string_view text, std::string_view patterns) {
  while (true) {
    const auto colon = patterns.find(':');
    if (matches(text, patterns.substr(0, colon))) return true;
    if (colon == std::string_view::npos) return false;
    patterns.remove_prefix(colon + 1);
  }
}

}  // namespace

bool matches_filter(const std::string& test, const std::string& filter) {
  const auto dash = filter.find('-');
  const auto wanted = filter.substr(0, dash);
  if (!wanted.empty() && !matches_any(test, wanted)) return false;
  return dash == std::string::npos || !matches_any(test, filter.substr(dash + 1));
}

std::vector<std::string> parse_test_list(std::string_view printed) {
  std::vector<std::string> tests;
  std::string suite;
  while (!printed.empty()) {
    const auto end = std::min(printed.find('\n'), printed.size());
    auto line = printed.substr(0, end);
    printed.remove_prefix(std::min(end + 1, printed.size()));
    line = line.substr(0, line.find("  #"));  // "  # GetParam() = 3", "  # TypeParam = int"
    if (line.starts_with("  ")) {
      const auto name = suite + std::string(line.substr(2));
      if (name != ChannelLog::canary) tests.push_back(name);
    } else if (line.ends_with('.')) {
      suite = line;
    }
  }
  return tests;
}

}  // namespace grader
