// hint, solution, list: what can be read without grading.
#include <fmt/format.h>

#include "commands/commands.hpp"
#include "ledger.hpp"
#include "readme_folds.hpp"
#include "report_parts.hpp"
#include "rubric.hpp"
#include "similarity.hpp"
#include "text.hpp"

namespace grader {
namespace {

constexpr std::size_t kTextWidth = page_width - 2;

Folds folds_of(const Task& task) { return read_folds(slurp(task.dir / "README.md")); }

void show_notices(const Setting& setting, const Ledger& ledger) {
  for (const auto& notice : ledger.notices()) {
    setting.screen.say(setting.screen.paint()(
        Tone::warn, indented(filled("Note: " + printable(notice), kTextWidth, 6), 2)));
  }
}

// How far a task is, as far as that can be told without building anything.
std::string state_of(const Submission& submission, const Task& task, const TaskHistory& told) {
  const auto header = read_submitted(submission, task, task.header);
  if (!header.exists) return "not in this submission";
  if (header.text && token_hash(*header.text) == task.starter_hash) return "not started";
  if (told.passed) return "passed before";
  return "begun";
}

}  // namespace

int run_hint(const Setting& setting, int number, const std::filesystem::path& dir) {
  const auto& task = setting.workbook.task(number);
  const auto submission = open_submission(setting.workbook, dir);
  const auto folds = folds_of(task);
  const auto& paint = setting.screen.paint();
  if (folds.hints.empty()) throw UsageError(fmt::format("task {} has no hints", number));
  Ledger ledger(submission.dir);
  const auto told = ledger.of(number);
  const auto all = static_cast<int>(folds.hints.size());
  const int next = told.hints_opened + 1;

  std::string out = "\n";
  const auto show = [&](int hint) {
    const auto& fold = folds.hints[static_cast<std::size_t>(hint - 1)];
    out += fmt::format(
        "  {}\n\n", paint(Tone::strong, fmt::format("Task {}, hint {} of {}", number, hint, all)));
    out += indented(plain_markdown(fold, kTextWidth), 2) + "\n";
  };
  if (next <= all) {
    show(next);
    if (!submission.is_solutions) ledger.add(Event::hint, number, next);
    if (!told.passed) {
      out += indented(
          paint(Tone::quiet, filled("Written down: from now on this task earns one point, or three "
                                    "with a test of your own that breaks an earlier version.",
                                    kTextWidth)),
          2);
    }
    if (next < all) {
      out += indented(paint(Tone::quiet, fmt::format("Another one: make hint TASK={}", number)), 2);
    }
  } else {
    out += indented(fmt::format("These are all {} hints of task {}.\n\n", all, number), 2);
    for (int hint = 1; hint <= all; ++hint) show(hint);
    out += indented(paint(Tone::quiet, fmt::format("Only the reference is left: make solution "
                                                   "TASK={}",
                                                   number)),
                    2);
  }
  setting.screen.say(out);
  show_notices(setting, ledger);
  return status_done;
}

int run_solution(const Setting& setting, int number, const std::filesystem::path& dir) {
  const auto& task = setting.workbook.task(number);
  const auto submission = open_submission(setting.workbook, dir);
  const auto reference = slurp(setting.workbook.reference(task));
  if (reference.empty()) throw UsageError(fmt::format("task {} has no reference here", number));
  Ledger ledger(submission.dir);
  const auto told = ledger.of(number);
  if (!submission.is_solutions) ledger.add(Event::solution, number);
  setting.screen.say(reference);
  if (!told.passed) {
    setting.screen.say(setting.screen.paint()(
        Tone::quiet,
        filled("// Written down: from now on this task earns one point. Read it until you can "
               "say why each line is there, close it, and write your own.",
               page_width, 0)));
  }
  show_notices(setting, ledger);
  return status_done;
}

int run_list(const Setting& setting, const std::filesystem::path& dir) {
  const auto submission = open_submission(setting.workbook, dir);
  const Ledger ledger(submission.is_solutions ? std::filesystem::path{} : submission.dir);
  const auto& paint = setting.screen.paint();
  std::string out =
      "\n" + paint(Tone::quiet, "   #  " + padded("task", 34) + padded("level", 14) + "so far") +
      "\n";
  for (const auto& task : setting.workbook.tasks) {
    const auto told = ledger.of(task.number);
    auto state =
        submission.is_solutions ? std::string("the reference") : state_of(submission, task, told);
    if (told.reference_opened) {
      state += ", reference";
    } else if (told.hints_opened > 0) {
      state += ", " + counted(told.hints_opened, "hint");
    }
    out += fmt::format("  {:>2}  {}{}{}\n", task.number, padded(task.title, 33) + " ",
                       padded(task.level, 14), paint(Tone::quiet, state));
  }
  out += "\n" + paint(Tone::quiet, "  make grade TASK=4    make hint TASK=4    make help") + "\n";
  setting.screen.say(out);
  show_notices(setting, ledger);
  return status_done;
}

}  // namespace grader
