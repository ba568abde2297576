// explore and replay: the schedule explorer, by hand.
#include <algorithm>
#include <fmt/format.h>

#include "bench.hpp"
#include "commands/commands.hpp"
#include "report_parts.hpp"
#include "text.hpp"

namespace grader {
namespace {

// The whole story of a failing schedule, unlike in a grade, where only its end is shown.
std::string told(const TestResult& test, const Paint& paint) {
  const bool passed = test.outcome == Outcome::passed;
  std::string out = fmt::format(
      "  {} {}\n", paint(passed ? Tone::good : Tone::bad, padded(passed ? "ok" : "FAILS", 6)),
      printable(as_sentence(test.name)));
  if (!test.verdict.empty()) out += indented(paint(Tone::quiet, printable(test.verdict)), 9);
  if (passed) return out;
  if (!test.headline.empty()) out += "\n" + indented(printable(test.headline), 4);
  for (const auto& failure : test.failures) {
    out += fmt::format("    {}:{}\n{}", printable(failure.file), failure.line,
                       indented(printable(failure.message), 6));
  }
  if (!test.detail.empty()) out += "\n" + indented(printable(test.detail), 2);
  return out;
}

}  // namespace

int run_explore(const Setting& setting, const ExploreRequest& request) {
  const auto& task = setting.workbook.task(request.task);
  const auto submission = open_submission(setting.workbook, request.submission);
  const auto home = submission.is_solutions ? task.solution : submission.dir / task.folder;
  Bench bench(bench_options(setting));
  if (!bench.explorer_available()) {
    throw MachineError("the schedule explorer does not work with this compiler");
  }
  const Program program{.task = &task,
                        .source = request.own_test ? home / "my_test.cpp" : task.dir / "suite.cpp",
                        .header = home / task.header,
                        .uses = headers_used(setting.workbook, submission, task),
                        .flavour = Flavour::explored,
                        .label = task.folder + " explored"};
  setting.screen.doing("compiling " + task.folder);
  const auto built = bench.build(std::span(&program, 1), {}, setting.stop);
  if (setting.stop.stop_requested()) return status_interrupted;
  if (!built.front().ok) {
    setting.screen.doing({});
    const auto& why = built.front().refused.empty() ? built.front().error : built.front().refused;
    setting.screen.say(indented(printable(why), 2));
    return status_below;
  }
  setting.screen.doing("trying schedules of " + task.folder);
  RunOptions options;
  options.use_cache = false;
  options.seed = request.seed;
  options.explore_schedules = request.schedules;
  // As long as it takes to try that many.
  if (request.schedules > 0) options.explore_seconds = 3600;
  options.replay_token = request.token;
  const auto outcome = bench.run(program, options, setting.stop);
  setting.screen.doing({});
  if (setting.stop.stop_requested()) return status_interrupted;

  std::string out = "\n";
  for (const auto& test : outcome.tests) out += told(test, setting.screen.paint());
  if (!outcome.problem.empty()) out += indented(printable(outcome.problem), 2);
  if (!outcome.notice.empty()) out += indented("Note: " + printable(outcome.notice), 2);
  if (outcome.tests.empty() && outcome.problem.empty()) out += "  There is nothing to explore.\n";
  setting.screen.say(out);
  const bool fine =
      outcome.problem.empty() && std::ranges::all_of(outcome.tests, [](const TestResult& test) {
        return test.outcome == Outcome::passed;
      });
  return fine ? status_done : status_below;
}

}  // namespace grader
