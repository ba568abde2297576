#include "gtest/test_runs.hpp"

#include <algorithm>
#include <cstring>
#include <gtest/gtest.h>
#include <string_view>

#include "gtest/channel.hpp"
#include "runtime/schedule.hpp"

namespace explorer {
namespace {

std::uint64_t next_seed;

class Listener : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo&) override {
    channel::forget();  // this is a child: what runs here must not speak for the grader's eyes
    begin_schedule(next_seed);
  }

  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    self = nullptr;  // from here on nothing is the test's doing
    report_check_failed(result.file_name(), result.line_number(), result.message());
  }

  void OnTestEnd(const testing::TestInfo& test) override {
    wait_for_others();
    std::string trouble = trouble_after_test();
    if (!trouble.empty()) report_escaped_exception(trouble.c_str());
    end_schedule();
    keep_observations(observations_after_test());
    shared->skipped = test.result()->Skipped();
  }
};

std::string full_name(const testing::TestInfo& test) {
  return std::string(test.test_suite_name()) + "." + test.name();
}

// GoogleTest's filter: positive patterns, then negative ones after a dash.
bool matches(const char* pattern, const char* end, const char* name) {
  if (pattern == end) return *name == '\0';
  if (*pattern == '*')
    return matches(pattern + 1, end, name) || (*name && matches(pattern, end, name + 1));
  return *name && (*pattern == '?' || *pattern == *name) && matches(pattern + 1, end, name + 1);
}

bool matches_any(const std::string& patterns, const std::string& name) {
  for (std::size_t at = 0; at <= patterns.size();) {
    std::size_t end = std::min(patterns.find(':', at), patterns.size());
    if (matches(patterns.data() + at, patterns.data() + end, name.c_str())) return true;
    at = end + 1;
  }
  return false;
}

bool selected(const std::string& filter, const std::string& name) {
  std::size_t dash = filter.find('-');
  std::string wanted = filter.substr(0, dash);
  if (!wanted.empty() && !matches_any(wanted, name)) return false;
  return dash == std::string::npos || !matches_any(filter.substr(dash + 1), name);
}

}  // namespace

std::vector<std::string> selected_tests() {
  std::vector<std::string> names;
  const auto& unit = *testing::UnitTest::GetInstance();
  std::string filter = GTEST_FLAG_GET(filter);
  for (int i = 0; i < unit.total_test_suite_count(); ++i) {
    const auto& suite = *unit.GetTestSuite(i);
    std::string suite_name = suite.name();
    if (suite_name != "Explored" && !suite_name.starts_with("Explored/")) continue;
    for (int j = 0; j < suite.total_test_count(); ++j) {
      std::string name = full_name(*suite.GetTestInfo(j));
      if (selected(filter, name) && name.find(".DISABLED_") == std::string::npos)
        names.push_back(name);
    }
  }
  return names;
}

RunOnce run_of(const std::string& test) {
  return [test](std::uint64_t seed) {
    next_seed = seed;
    if (GTEST_FLAG_GET(filter) != test) GTEST_FLAG_SET(filter, test);
    [[maybe_unused]] int status = RUN_ALL_TESTS();
  };
}

void keep_observations(const std::vector<Observation>& seen) {
  std::string text;
  for (const auto& [question, answer] : seen) text += question + '\x1f' + answer + '\x1e';
  auto& kept = shared_memory().observations;
  if (text.size() >= sizeof kept) text.clear();
  std::memcpy(kept, text.c_str(), text.size() + 1);
}

std::vector<Observation> kept_observations() {
  std::vector<Observation> seen;
  std::string_view text = shared_memory().observations;
  while (!text.empty()) {
    std::size_t middle = text.find('\x1f'), end = text.find('\x1e');
    if (middle == text.npos || end == text.npos || end < middle) break;
    seen.push_back({std::string(text.substr(0, middle)),
                    std::string(text.substr(middle + 1, end - middle - 1))});
    text.remove_prefix(end + 1);
  }
  return seen;
}

void install_listener() {
  auto& listeners = testing::UnitTest::GetInstance()->listeners();
  delete listeners.Release(listeners.default_result_printer());
  listeners.Append(new Listener);
  GTEST_FLAG_SET(shuffle, false);
  GTEST_FLAG_SET(repeat, 1);
}

}  // namespace explorer
