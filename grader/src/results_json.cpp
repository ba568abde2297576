#include "results_json.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <system_error>

#include "files.hpp"
#include "text.hpp"

namespace grader {
namespace {

using nlohmann::json;

const char* name_of(Standing standing) {
  switch (standing) {
    case Standing::missing:
      return "missing";
    case Standing::not_started:
      return "not_started";
    case Standing::not_built:
      return "not_built";
    case Standing::refused:
      return "refused";
    case Standing::failed:
      return "failed";
    case Standing::tampered:
      return "tampered";
    case Standing::inconclusive:
      return "inconclusive";
    case Standing::passed:
      return "passed";
  }
  return "";
}

const char* name_of(OwnTest verdict) {
  switch (verdict) {
    case OwnTest::not_tried:
      return "not_tried";
    case OwnTest::not_written:
      return "not_written";
    case OwnTest::inconclusive:
      return "inconclusive";
    case OwnTest::unqualified:
      return "unqualified";
    case OwnTest::qualified:
      return "qualified";
  }
  return "";
}

const char* name_of(Mark mark) {
  switch (mark) {
    case Mark::none:
      return "not_run";
    case Mark::ok:
      return "passed";
    case Mark::build:
      return "not_built";
    case Mark::refused:
      return "refused";
    case Mark::fail:
      return "failed";
    case Mark::race:
      return "raced";
    case Mark::memory:
      return "sanitizer";
    case Mark::crash:
      return "crashed";
    case Mark::hang:
      return "hung";
    case Mark::cheat:
      return "tampered";
    case Mark::off:
      return "unavailable";
    case Mark::unclear:
      return "inconclusive";
  }
  return "";
}

json test_json(const TestResult& test) {
  json out = {{"name", test.name},
              {"sentence", as_sentence(test.name)},
              {"outcome", to_string(test.outcome)},
              {"ms", test.ms}};
  for (const auto& failure : test.failures) {
    out["failures"].push_back(
        {{"file", failure.file}, {"line", failure.line}, {"message", failure.message}});
  }
  if (!test.headline.empty()) out["headline"] = test.headline;
  if (!test.detail.empty()) out["detail"] = test.detail;
  if (!test.verdict.empty()) out["rests_on"] = test.verdict;
  if (!test.token.empty()) out["token"] = test.token;
  if (test.stress_rounds > 0) out["stress_rounds"] = test.stress_rounds;
  if (test.property_cases > 0) out["property_cases"] = test.property_cases;
  return out;
}

json flavour_json(const FlavourResult& result) {
  json out = {{"flavour", to_string(result.flavour)},
              {"result", name_of(mark_of(result))},
              {"build_seconds", result.build.seconds},
              {"run_seconds", result.run.seconds},
              {"cached", result.build.cached && (result.run.cached || !result.ran)},
              {"tests", json::array()}};
  if (!result.build.error.empty()) out["error"] = result.build.error;
  if (!result.build.refused.empty()) out["refused"] = result.build.refused;
  if (!result.run.problem.empty()) out["problem"] = result.run.problem;
  for (const auto& test : result.run.tests) out["tests"].push_back(test_json(test));
  return out;
}

json own_test_json(const OwnTestReport& own) {
  json out = {{"result", name_of(own.verdict)}, {"why", own.why}};
  if (!own.detail.empty()) out["detail"] = own.detail;
  if (own.verdict == OwnTest::qualified) {
    out["broke"] = {{"version", own.version},
                    {"how", own.how},
                    {"runs", own.runs.runs},
                    {"broken", own.runs.broken},
                    {"right_runs", own.right_runs}};
  }
  return out;
}

json task_json(const TaskReport& task) {
  json out = {{"number", task.task->number},
              {"folder", task.task->folder},
              {"title", task.task->title},
              {"level", task.task->level},
              {"standing", name_of(task.evidence.standing)},
              {"score", task.score.points},
              {"max", max_points},
              {"settled", task.score.settled},
              {"why", task.score.why},
              {"hints_opened", task.hints_opened},
              {"reference_opened", task.evidence.reference_opened},
              {"copied", task.evidence.copied},
              {"versions_kept", task.versions_kept},
              {"own_test", own_test_json(task.own_test)},
              {"flavours", json::array()}};
  for (const auto& result : task.flavours) out["flavours"].push_back(flavour_json(result));
  for (const auto& prediction : task.predictions.predictions) {
    out["predictions"].push_back({{"scene", prediction.test},
                                  {"question", prediction.question},
                                  {"predicted", prediction.predicted},
                                  {"happened", prediction.happened},
                                  {"came_true", prediction.came_true()}});
  }
  for (const auto& use : task.uses) {
    out["uses"].push_back({{"task", use.task}, {"header", use.learners ? "learner" : "reference"}});
  }
  return out;
}

}  // namespace

json results_json(const GradeReport& report) {
  const auto said = band(report.total, report.out_of);
  json out = {{"version", results_version},
              {"submission", report.submission.name},
              {"total", report.total},
              {"max", report.out_of},
              {"settled", report.settled},
              {"band", {{"from", said.from}, {"to", said.to}, {"meaning", said.meaning}}},
              {"toolchain", report.toolchain},
              {"sandboxed", report.sandboxed},
              {"seconds", report.seconds},
              {"notices", report.notices},
              {"tasks", json::array()}};
  for (const auto& task : report.tasks) out["tasks"].push_back(task_json(task));
  return out;
}

void write_results(const GradeReport& report, const std::filesystem::path& file) {
  try {
    if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path());
    // What a submission printed may be no UTF-8 at all.
    write_whole_file(
        file, results_json(report).dump(2, ' ', false, json::error_handler_t::replace) + "\n");
  } catch (const std::system_error& error) {
    throw MachineError(fmt::format("the results can't be written to {}: {}", file.string(),
                                   error.code().message()));
  }
}

}  // namespace grader
