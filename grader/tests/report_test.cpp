// What a submission says reaches a terminal as text, never as commands to it.
#include "report.hpp"

#include <gtest/gtest.h>
#include <string>

#include "report_parts.hpp"

namespace grader {
namespace {

const std::string hostile =
    "\x1b[2J\x1b[1;32m3/3\x1b[0m\x1b]0;owned\x07\xc2\x9b"
    "2J\r";

Task task() {
  Task task;
  task.number = 1;
  task.folder = "01_first_future";
  task.title = "A first future";
  task.header = "first_future.hpp";
  return task;
}

TaskReport passing(const Task& task) {
  TaskReport report;
  report.task = &task;
  report.evidence.standing = Standing::passed;
  report.score = {.points = 2, .settled = true, .why = ""};
  RunOutcome run;
  auto& test = run.tests.emplace_back();
  test.name = "Basic.X";
  test.outcome = Outcome::passed;
  report.flavours = {result_of(Flavour::plain, run)};
  return report;
}

std::string shown_whole(const TaskReport& task) {
  GradeReport report;
  report.submission.name = "folder " + hostile;
  report.tasks = {task};
  report.notices = {"a note " + hostile};
  return whole_report(report, Paint(false));
}

// Line breaks are the only control characters a report needs; C1 controls come as two bytes.
void expect_harmless(const std::string& text, std::string_view part) {
  EXPECT_TRUE(text.contains(part)) << text;
  EXPECT_EQ(text.find_first_of(std::string_view("\x1b\x07\r\x9b", 4)), std::string::npos) << text;
}

TEST(Report, AnOwnTestCannotPaintOnTheTerminal) {
  const auto first = task();
  auto report = passing(first);
  report.own_test.verdict = OwnTest::unqualified;
  report.own_test.why = "my_test.cpp:6: asks the preprocessor (#if \"" + hostile + "\")";
  report.own_test.detail = "detail " + hostile;
  const auto text = shown_whole(report);
  for (const auto* part : {"my_test.cpp:6: asks", "detail ?", "a note ?", "make folder"}) {
    expect_harmless(text, part);
  }
}

TEST(Report, AQualifiedOwnTestNeither) {
  const auto first = task();
  auto report = passing(first);
  report.own_test.verdict = OwnTest::qualified;
  report.own_test.version = "your version 3";
  report.own_test.flaw = "flaw " + hostile;
  expect_harmless(shown_whole(report), "flaw ?");
}

TEST(Report, PredictionsNeither) {
  const auto first = task();
  auto report = passing(first);
  report.predictions.problem = "predictions.toml:13: `" + hostile + "` is none of the answers";
  expect_harmless(shown_whole(report), "none of");
  expect_harmless(shown_in_full(report.predictions, Paint(false)), "none of");

  report.predictions.problem.clear();
  report.predictions.predictions = {{.test = "X",
                                     .scene = "A scene.",
                                     .question = "When?",
                                     .choices = {},
                                     .predicted = "predicted " + hostile,
                                     .happened = "happened " + hostile,
                                     .trouble = ""}};
  report.predictions.lanes = {{"X", "lanes " + hostile}};
  const auto in_full = shown_in_full(report.predictions, Paint(false));
  for (const auto* part : {"predicted ?", "happened ?", "lanes ?"}) expect_harmless(in_full, part);
  expect_harmless(shown_whole(report), "happened ?");
  report.predictions.predictions.front().happened.clear();
  report.predictions.predictions.front().trouble = "trouble " + hostile;
  expect_harmless(shown_whole(report), "trouble ?");
}

TEST(Report, FindingsNeither) {
  const Finding finding{.flavour = Flavour::explored,
                        .mark = Mark::fail,
                        .test = "Suite" + hostile + ".Test" + hostile,
                        .headline = "headline " + hostile,
                        .place = "place " + hostile,
                        .detail = "detail " + hostile,
                        .token = "token " + hostile};
  const auto text = shown(finding, "TASK=1", Paint(false));
  for (const auto* part : {"headline ?", "place ?", "detail ?", "token ?"}) {
    expect_harmless(text, part);
  }
}

}  // namespace
}  // namespace grader
