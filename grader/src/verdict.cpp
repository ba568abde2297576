#include "verdict.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <utility>

#include "text.hpp"

namespace grader {
namespace {

Mark mark_of_outcome(Outcome outcome) {
  switch (outcome) {
    case Outcome::passed:
      return Mark::ok;
    case Outcome::failed:
    case Outcome::missing:
      return Mark::fail;
    case Outcome::crashed:
      return Mark::crash;
    case Outcome::hung:
      return Mark::hang;
    case Outcome::raced:
      return Mark::race;
    case Outcome::sanitizer:
      return Mark::memory;
    case Outcome::tampered:
      return Mark::cheat;
    case Outcome::not_run:
      return Mark::none;
    case Outcome::inconclusive:
      return Mark::unclear;
  }
  return Mark::none;
}

// The first line that says something, for tests that bring no headline of their own.
std::string first_line(std::string_view text) {
  for (const auto line : split_lines(text)) {
    if (!trimmed(line).empty()) return std::string(trimmed(line));
  }
  return {};
}

Finding finding_of(Flavour flavour, const TestResult& test) {
  Finding finding{.flavour = flavour,
                  .mark = mark_of_outcome(test.outcome),
                  .test = test.name,
                  .headline = test.headline,
                  .place = {},
                  .detail = test.detail,
                  .token = test.token};
  if (!test.failures.empty()) {
    const auto& failure = test.failures.front();
    if (finding.headline.empty()) finding.headline = failure.message;
    if (!failure.file.empty()) finding.place = fmt::format("{}:{}", failure.file, failure.line);
  }
  if (finding.headline.empty()) finding.headline = first_line(test.detail);
  return finding;
}

// Smaller is shown earlier.
constexpr int kLastRank = 5;
int rank_of(const Finding& finding) {
  if (finding.test.empty()) return finding.flavour == Flavour::plain ? 0 : 5;
  if (suite_of(finding.test) == "Basic") return finding.flavour == Flavour::plain ? 1 : 4;
  switch (finding.flavour) {
    case Flavour::explored:
      return 2;
    case Flavour::plain:
      return 3;
    default:
      return 4;
  }
}

bool is_bad(Outcome outcome) {
  return outcome != Outcome::passed && outcome != Outcome::inconclusive;
}

}  // namespace

FlavourResult result_of(Flavour flavour, RunOutcome run) {
  FlavourResult result;
  result.flavour = flavour;
  result.built = result.build.ok = result.ran = true;
  result.run = std::move(run);
  return result;
}

Mark mark_of(const FlavourResult& result) {
  if (result.run.explored_unavailable) return Mark::off;
  if (!result.built) return Mark::none;
  if (!result.build.machine.empty()) return Mark::unclear;
  if (!result.build.refused.empty()) return Mark::refused;
  if (!result.build.ok) return Mark::build;
  if (!result.ran) return Mark::none;
  if (result.run.tests.empty() && result.run.machine.empty()) return Mark::fail;
  Mark worst = Mark::ok;
  for (const auto& test : result.run.tests) {
    if (test.outcome == Outcome::tampered) return Mark::cheat;
    const auto mark = mark_of_outcome(test.outcome);
    const bool first = worst == Mark::ok || worst == Mark::unclear || worst == Mark::none;
    if (mark != Mark::ok && first) worst = mark;
  }
  const bool says_nothing = worst == Mark::ok || worst == Mark::none || worst == Mark::unclear;
  if (!result.run.problem.empty()) return says_nothing ? Mark::fail : worst;
  if (worst == Mark::none) return Mark::fail;  // tests were left out and nothing says why
  if (worst == Mark::ok && !result.run.machine.empty()) return Mark::unclear;
  return worst;
}

std::vector<Finding> findings_of(const std::vector<FlavourResult>& results) {
  std::vector<Finding> found;
  for (const auto& result : results) {
    if (!result.built || result.run.explored_unavailable) continue;
    if (!result.build.ok) {
      if (!result.build.machine.empty()) continue;
      const bool refused = !result.build.refused.empty();
      found.push_back({.flavour = result.flavour,
                       .mark = mark_of(result),
                       .test = {},
                       .headline = refused ? result.build.refused : "it does not compile",
                       .place = {},
                       .detail = refused ? std::string{} : result.build.error,
                       .token = {}});
      continue;
    }
    const bool nothing_ran = result.ran && result.run.tests.empty() && result.run.machine.empty();
    if (!result.run.problem.empty() || nothing_ran) {
      found.push_back({.flavour = result.flavour,
                       .mark = mark_of(result),
                       .test = {},
                       .headline = nothing_ran && result.run.problem.empty() ? "no test ran"
                                                                             : result.run.problem,
                       .place = {},
                       .detail = {},
                       .token = {}});
    }
    for (const auto& test : result.run.tests) {
      if (is_bad(test.outcome) && test.outcome != Outcome::not_run) {
        found.push_back(finding_of(result.flavour, test));
      }
    }
  }
  std::vector<Finding> ordered;
  for (int rank = 0; rank <= kLastRank; ++rank) {
    std::ranges::copy_if(found, std::back_inserter(ordered),
                         [&](const Finding& finding) { return rank_of(finding) == rank; });
  }
  return ordered;
}

std::string first_finding(const FlavourResult& result) {
  const auto found = findings_of({result});
  if (found.empty()) return {};
  const auto& first = found.front();
  return fmt::format("{} {}\n{}\n{}", first.test, first.place, first.headline, first.detail);
}

Standing standing_of(const std::vector<FlavourResult>& results) {
  bool unclear = false;
  bool any_ran = false;
  for (const auto& result : results) {
    switch (mark_of(result)) {
      case Mark::ok:
        any_ran = true;
        break;
      case Mark::none:
      case Mark::off:
        break;
      case Mark::unclear:
        unclear = true;
        break;
      case Mark::build:
        return Standing::not_built;
      case Mark::refused:
        return Standing::refused;
      case Mark::cheat:
        return Standing::tampered;
      case Mark::fail:
      case Mark::race:
      case Mark::memory:
      case Mark::crash:
      case Mark::hang:
        return Standing::failed;
    }
  }
  // A flavour nobody looked at is no pass: it is only skipped when another one failed.
  const bool skipped = std::ranges::any_of(
      results, [](const FlavourResult& result) { return mark_of(result) == Mark::none; });
  return unclear || skipped || !any_ran ? Standing::inconclusive : Standing::passed;
}

TestCount count_tests(const FlavourResult& result) {
  TestCount count;
  for (const auto& test : result.run.tests) {
    ++count.all;
    if (test.outcome == Outcome::passed) ++count.passed;
  }
  return count;
}

bool stops_here(const FlavourResult& plain) {
  const auto mark = mark_of(plain);
  if (mark == Mark::build || mark == Mark::refused || mark == Mark::cheat) return true;
  if (!plain.run.problem.empty()) return true;
  return std::ranges::any_of(plain.run.tests, [](const TestResult& test) {
    return is_bad(test.outcome) && suite_of(test.name) == "Basic";
  });
}

std::string how_it_broke(const TestResult& test) {
  switch (test.outcome) {
    case Outcome::raced:
      return "a race report";
    case Outcome::hung:
      return "a hang";
    case Outcome::crashed:
      return "a crash";
    case Outcome::sanitizer:
      return "a sanitizer's report";
    default:
      return "a failed expectation";
  }
}

}  // namespace grader
