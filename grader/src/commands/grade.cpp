#include <fmt/format.h>

#include "commands/commands.hpp"
#include "grading.hpp"
#include "report.hpp"
#include "results_json.hpp"

namespace grader {

int run_grade(const Setting& setting, const GradeRequest& request) {
  const auto& workbook = setting.workbook;
  for (const int number : request.tasks) workbook.task(number);  // says so when there is none
  const auto submission = open_submission(workbook, request.submission);
  Bench bench(bench_options(setting));
  auto& screen = setting.screen;
  const auto& paint = screen.paint();

  const GradeOptions options{.tasks = request.tasks,
                             .keep_ledger = request.keep_ledger,
                             .fresh = request.fresh,
                             .jobs = setting.jobs};
  const auto wanted = request.tasks.empty() ? workbook.tasks.size() : request.tasks.size();
  screen.say(opening(submission, wanted, bench.toolchain(), paint));
  const GradeEvents events{
      .doing = [&](const std::string& what) { screen.doing(what); },
      .plain_verdict = [&](const TaskReport& task) { screen.say(plain_line(task, paint)); }};
  const auto report = grade(workbook, submission, bench, options, events, setting.stop);
  screen.doing({});
  if (setting.stop.stop_requested()) return status_interrupted;
  screen.say(whole_report(report, paint));

  write_results(report, request.json.empty() ? workbook.build_dir / "results.json" : request.json);
  if (!request.fail_below || report.total >= *request.fail_below) return status_done;
  if (!report.settled) {
    screen.say(fmt::format("  Below {}, but not every task has a verdict: grade again.",
                           *request.fail_below));
    return status_machine;
  }
  screen.say(fmt::format("  Below the {} points asked for.", *request.fail_below));
  return status_below;
}

}  // namespace grader
