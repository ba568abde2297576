// predict: the lifecycle scenes of a task, what was predicted and what happens, step by step.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "bench.hpp"
#include "commands/commands.hpp"
#include "predictions.hpp"
#include "report_parts.hpp"
#include "text.hpp"

namespace grader {

int run_predict(const Setting& setting, int number, const std::filesystem::path& dir) {
  const auto& task = setting.workbook.task(number);
  const auto submission = open_submission(setting.workbook, dir);
  auto report = open_predictions(submission, task);
  if (report.predictions.empty()) {
    throw UsageError(fmt::format("task {} asks for no predictions", number));
  }
  const auto& paint = setting.screen.paint();
  const auto file = fmt::format("{}/{}/predictions.toml", printable(submission.name), task.folder);
  // Guessing comes first: nothing is played before something is predicted.
  if (!report.any_answered() || !report.problem.empty()) {
    std::string out = "\n";
    if (!report.problem.empty()) {
      out += indented(paint(Tone::bad, printable(report.problem)), 2) + "\n";
    }
    std::string test;
    for (const auto& prediction : report.predictions) {
      if (prediction.test != test) {
        out += indented(paint(Tone::strong, filled(prediction.scene, page_width - 2)), 2);
      }
      test = prediction.test;
      out += indented(filled(prediction.question, page_width - 4), 4);
      out += indented(
          paint(Tone::quiet,
                filled(fmt::format("{}", fmt::join(prediction.choices, "  |  ")), page_width - 6)),
          6);
    }
    out += "\n" +
           indented(paint(Tone::accent, filled(fmt::format("Write your answers into {}, then: make "
                                                           "predict TASK={}",
                                                           file, number),
                                               page_width - 2)),
                    2);
    setting.screen.say(out);
    return status_done;
  }
  Bench bench(bench_options(setting));
  setting.screen.doing("playing the scenes of " + task.folder);
  const Program program{.task = &task,
                        .source = {},
                        .header = submission.dir / task.folder / task.header,
                        .uses = headers_used(setting.workbook, submission, task),
                        .flavour = Flavour::explored,
                        .label = {}};
  play_scenes(report, program, bench, setting.stop);
  setting.screen.doing({});
  if (setting.stop.stop_requested()) return status_interrupted;
  setting.screen.say(shown_in_full(report, paint));
  return report.problem.empty() ? status_done : status_below;
}

}  // namespace grader
