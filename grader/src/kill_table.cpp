#include "kill_table.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "text.hpp"

namespace grader {
namespace {

std::string share(Count count) {
  return count.runs == 0 ? "-" : fmt::format("{}/{}", count.rejected, count.runs);
}

}  // namespace

Interval wilson(Count count) {
  if (count.runs == 0) return {};
  constexpr double kZ = 1.959963984540054;
  const double n = count.runs;
  const double p = count.rejected / n;
  const double middle = p + kZ * kZ / (2 * n);
  const double spread = kZ * std::sqrt(p * (1 - p) / n + kZ * kZ / (4 * n * n));
  const double scale = 1 + kZ * kZ / n;
  return {std::max(0.0, (middle - spread) / scale), std::min(1.0, (middle + spread) / scale)};
}

bool VersionCounts::as_it_should_be() const {
  if (!trouble.empty() || graded.runs == 0) return false;
  if (!right) return graded.rejected == graded.runs;
  return graded.rejected == 0 &&
         std::ranges::all_of(by_flavour, [](const Count& count) { return count.rejected == 0; });
}

bool VersionCounts::unmet() const {
  return trouble.empty() && graded.runs == 0 && inconclusive == 0;
}

std::string kill_table(const std::vector<VersionCounts>& versions) {
  std::string out =
      fmt::format("  {:>2}  {}{:>8}{:>8}{:>8}{:>8}{:>8}  {:<12}{:>7}\n", "#", padded("version", 34),
                  "plain", "races", "memory", "sched.", "graded", "95 %", "first");
  for (const auto& version : versions) {
    const auto sure = wilson(version.graded);
    out += fmt::format(
        "  {:>2}  {}{:>8}{:>8}{:>8}{:>8}{:>8}  {:<12}{:>7}{}\n", version.task,
        padded(version.name, 34), share(version.by_flavour[0]), share(version.by_flavour[1]),
        share(version.by_flavour[2]), share(version.by_flavour[3]), share(version.graded),
        version.graded.runs == 0 ? "-"
                                 : fmt::format("{:.0f}-{:.0f} %", 100 * sure.low, 100 * sure.high),
        version.first_seconds ? fmt::format("{:.1f} s", *version.first_seconds) : "-",
        version.as_it_should_be() || version.unmet() ? "" : "  <- WRONG");
    if (!version.trouble.empty()) out += indented(version.trouble, 6);
  }
  return out;
}

std::string scorecard(const std::vector<VersionCounts>& versions) {
  std::string out =
      "| versions | machine | gradings | wrong verdicts | 95 % interval | no verdict |\n"
      "| --- | --- | --- | --- | --- | --- |\n";
  for (const bool right : {true, false}) {
    for (std::size_t load = 0; load < 2; ++load) {
      Count wrong;
      int unclear = 0;
      int kinds = 0;
      for (const auto& version : versions) {
        if (version.right != right) continue;
        const auto& count = version.by_load.at(load);
        const int no_verdict = version.unclear_by_load.at(load);
        if (count.runs + no_verdict == 0) continue;  // a run that was interrupted never came to it
        ++kinds;
        unclear += no_verdict;
        wrong.runs += count.runs;
        wrong.rejected += right ? count.rejected : count.runs - count.rejected;
      }
      if (kinds == 0) continue;
      const auto sure = wilson(wrong);
      out += fmt::format("| {} {} | {} | {} | {} {} | {:.2f}-{:.2f} % | {} |\n", kinds,
                         right ? "right" : "flawed", load == 0 ? "idle" : "every core busy",
                         wrong.runs, wrong.rejected, right ? "rejected" : "passed", 100 * sure.low,
                         100 * sure.high, unclear);
    }
  }
  return out;
}

}  // namespace grader
