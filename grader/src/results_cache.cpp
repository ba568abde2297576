#include "results_cache.hpp"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "digest.hpp"
#include "files.hpp"
#include "rules_digest.hpp"

namespace grader {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::json;

constexpr std::size_t largest = 32 << 20;

fs::path file_for(const fs::path& folder, const std::string& program, const RunOptions& options,
                  const ExploreBudget& budget) {
  Digest digest;
  digest.field(rules_of_runs).field(program).field(options.filter);
  digest.field(fmt::format("{} {} {} {} {}", options.seed, options.explore_seconds,
                           options.explore_schedules, budget.seconds, budget.bound));
  digest.field(options.replay_token).field(options.observe ? "observed" : "");
  for (const auto& test : options.expected) digest.field(test);
  return folder / (digest.hex().substr(0, 32) + ".json");
}

Json to_json(const TestResult& test) {
  Json failures = Json::array();
  for (const auto& failure : test.failures) {
    failures.push_back({failure.file, failure.line, failure.message});
  }
  Json observations = Json::array();
  for (const auto& seen : test.observations) observations.push_back({seen.question, seen.answer});
  return {{"name", test.name},
          {"outcome", static_cast<int>(test.outcome)},
          {"failures", failures},
          {"headline", test.headline},
          {"detail", test.detail},
          {"ms", test.ms},
          {"stress_rounds", test.stress_rounds},
          {"property_cases", test.property_cases},
          {"verdict", test.verdict},
          {"token", test.token},
          {"observations", observations}};
}

TestResult test_from(const Json& json) {
  TestResult test;
  test.name = json.at("name");
  test.outcome = static_cast<Outcome>(json.at("outcome").get<int>());
  for (const auto& failure : json.at("failures")) {
    test.failures.push_back({failure.at(0), failure.at(1), failure.at(2)});
  }
  test.headline = json.at("headline");
  test.detail = json.at("detail");
  test.ms = json.at("ms");
  test.stress_rounds = json.at("stress_rounds");
  test.property_cases = json.at("property_cases");
  test.verdict = json.at("verdict");
  test.token = json.at("token");
  for (const auto& seen : json.at("observations")) {
    test.observations.push_back({seen.at(0), seen.at(1)});
  }
  return test;
}

bool says_something(const RunOutcome& outcome) {
  return outcome.machine.empty() && std::ranges::none_of(outcome.tests, [](const auto& test) {
           return test.outcome == Outcome::inconclusive;
         });
}

void write_quietly(const fs::path& file, const Json& json) {
  try {
    fs::create_directories(file.parent_path());
    write_whole_file(file, json.dump(1, ' ', false, Json::error_handler_t::replace));
  } catch (const std::exception&) {
    // Only costs time, the next time.
  }
}

}  // namespace

std::optional<RunOutcome> ResultsCache::find(const std::string& program_key,
                                             const RunOptions& options,
                                             const ExploreBudget& budget) const {
  const auto file = file_for(folder_, program_key, options, budget);
  const auto text = read_regular_file(file, largest);
  if (!text) return std::nullopt;
  try {
    const auto json = Json::parse(*text);
    RunOutcome outcome;
    for (const auto& test : json.at("tests")) outcome.tests.push_back(test_from(test));
    outcome.problem = json.at("problem");
    outcome.notice = json.at("notice");
    outcome.output = json.at("output");
    outcome.seconds = json.at("seconds");
    outcome.cached = true;
    std::error_code ignored;
    fs::last_write_time(file, fs::file_time_type::clock::now(), ignored);
    return outcome;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

void ResultsCache::keep(const std::string& program_key, const RunOptions& options,
                        const ExploreBudget& budget, const RunOutcome& outcome) const {
  if (!says_something(outcome)) return;
  Json tests = Json::array();
  for (const auto& test : outcome.tests) tests.push_back(to_json(test));
  write_quietly(file_for(folder_, program_key, options, budget), {{"tests", tests},
                                                                  {"problem", outcome.problem},
                                                                  {"notice", outcome.notice},
                                                                  {"output", outcome.output},
                                                                  {"seconds", outcome.seconds}});
}

std::optional<std::vector<std::string>> ResultsCache::find_list(const std::string& key) const {
  const auto text = read_regular_file(folder_ / (key + ".list"), largest);
  if (!text) return std::nullopt;
  const auto json = Json::parse(*text, nullptr, false);
  if (!json.is_array() || json.empty()) return std::nullopt;
  std::vector<std::string> tests;
  for (const auto& name : json) {
    if (!name.is_string()) return std::nullopt;
    tests.push_back(name.get<std::string>());
  }
  return tests;
}

void ResultsCache::keep_list(const std::string& key, const std::vector<std::string>& tests) const {
  write_quietly(folder_ / (key + ".list"), tests);
}

void ResultsCache::forget_old_ones() const {
  std::error_code ec;
  const auto now = fs::file_time_type::clock::now();
  for (const auto& entry : fs::directory_iterator(folder_, ec)) {
    const auto age = now - fs::last_write_time(entry.path(), ec);
    if (!ec && age > std::chrono::days(30)) fs::remove(entry.path(), ec);
  }
}

}  // namespace grader
