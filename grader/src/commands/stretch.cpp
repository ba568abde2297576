// stretch: the challenges, each with a verdict of its own and with what was measured.
#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench.hpp"
#include "commands/commands.hpp"
#include "figures.hpp"
#include "files.hpp"
#include "grading.hpp"
#include "report_parts.hpp"
#include "text.hpp"

namespace grader {
namespace {

namespace fs = std::filesystem;

enum class Met { yes, no, unclear };

// What was found out about one challenge.
struct Challenge {
  TaskReport tests;
  std::optional<FlavourResult> measured;  // nothing to measure, or not worth it
  Figures figures;
  fs::path chart;
  Met met = Met::no;
  std::string why;
};

std::string name_of(const Task& task) { return fmt::format("s{}", task.number); }

std::string_view word_for(Met met) {
  switch (met) {
    case Met::yes:
      return "met";
    case Met::no:
      return "not met";
    case Met::unclear:
      return "inconclusive";
  }
  return "";
}

Tone tone_of(Met met) {
  return met == Met::yes ? Tone::good : met == Met::no ? Tone::bad : Tone::warn;
}

// The tests first; then, alone on the machine, what is measured.
class Stretch {
 public:
  Stretch(const Setting& setting, const StretchRequest& request)
      : setting_(setting), request_(request), bench_(bench_options(setting)) {}

  std::vector<Challenge> run(const Submission& submission, const std::vector<int>& numbers) {
    const GradeOptions options{.tasks = numbers, .keep_ledger = false, .jobs = setting_.jobs};
    GradeEvents events;
    events.doing = [&](const std::string& what) { setting_.screen.doing(what); };
    auto graded = grade(setting_.workbook, submission, bench_, options, events, setting_.stop);
    std::vector<Challenge> challenges;
    for (auto& tests : graded.tasks) {
      auto& challenge = challenges.emplace_back();
      challenge.tests = std::move(tests);
      if (challenge.tests.evidence.standing == Standing::passed) measure(submission, challenge);
      judge(challenge);
    }
    setting_.screen.doing({});
    return challenges;
  }

 private:
  void measure(const Submission& submission, Challenge& challenge) {
    const auto& task = *challenge.tests.task;
    const auto source = task.dir / "measure.cpp";
    if (!fs::exists(source) || setting_.stop.stop_requested()) return;
    const Program program{.task = &task,
                          .source = source,
                          .header = read_submitted(submission, task, task.header).path,
                          .uses = {},
                          .flavour = Flavour::plain,
                          .label = task.folder + " measured"};
    setting_.screen.doing(task.folder + " · compiling what is measured");
    FlavourResult result;
    result.built = true;
    result.build = bench_.build(std::span(&program, 1), {}, setting_.stop).front();
    if (result.build.ok) {
      RunOptions options;
      options.use_cache = false;
      options.seed = request_.seed;
      options.expected = bench_.expected_tests(task, source, Flavour::plain);
      setting_.screen.doing(task.folder + " · measuring");
      result.run = bench_.run(program, options, setting_.stop);
      result.ran = true;
    }
    challenge.figures = figures_of(result.run.tests);
    if (!challenge.figures.charts.empty()) {
      const auto folder = setting_.workbook.build_dir / "stretch";
      fs::create_directories(folder);
      challenge.chart = folder / (task.folder + ".svg");
      write_whole_file(challenge.chart, drawn(challenge.figures.charts, task.title));
    }
    challenge.measured = std::move(result);
  }

  static void judge(Challenge& challenge) {
    const auto& tests = challenge.tests;
    switch (tests.evidence.standing) {
      case Standing::missing:
        challenge.why = "there is no " + tests.task->header + " in this submission";
        return;
      case Standing::not_started:
        challenge.why = "not started: " + tests.task->header + " is as it was handed out";
        return;
      case Standing::inconclusive:
        challenge.met = Met::unclear;
        challenge.why = "the machine stood in the way of the tests; try again";
        return;
      case Standing::passed:
        break;
      default:
        challenge.why = tests.findings.empty() ? "the tests don't pass" : "a test does not pass";
        return;
    }
    if (!challenge.measured) {
      challenge.met = Met::yes;
      challenge.why = "every test passes, in every flavour";
      return;
    }
    const auto standing = standing_of({*challenge.measured});
    if (standing == Standing::passed) {
      challenge.met = Met::yes;
      challenge.why = "every test passes, and what was measured is as it must be";
    } else if (standing == Standing::inconclusive) {
      challenge.met = Met::unclear;
      challenge.why = "the tests pass; the machine was too busy to measure: try again";
    } else {
      challenge.why = "the tests pass, but what was measured is not as it must be";
    }
  }

  const Setting& setting_;
  const StretchRequest& request_;
  Bench bench_;
};

std::string marks(const TaskReport& tests, const Paint& paint) {
  std::string line;
  const auto add = [&](std::string_view what, const FlavourResult& result) {
    const auto mark = mark_of(result);
    const auto count = count_tests(result);
    line += fmt::format("{}{} {}", line.empty() ? "" : " · ", what,
                        paint(tone_of(mark), word_for(mark)));
    if (mark == Mark::ok) line += fmt::format(" ({})", count.passed);
  };
  for (const auto& result : tests.flavours) {
    constexpr std::string_view names[] = {"tests", "races", "memory", "schedules"};
    add(names[static_cast<std::size_t>(result.flavour)], result);
  }
  return line;
}

std::string told(const Challenge& challenge, const Paint& paint) {
  const auto& task = *challenge.tests.task;
  const auto verdict = word_for(challenge.met);
  const auto title = fmt::format("S{} · {}", task.number, task.title);
  std::string out =
      fmt::format("\n  {}{}\n", paint(Tone::strong, padded(title, page_width - 2 - verdict.size())),
                  paint(tone_of(challenge.met), verdict));
  out += indented(filled(challenge.why, page_width - 4), 4);
  if (!challenge.tests.flavours.empty()) {
    out += fmt::format("    {}\n", marks(challenge.tests, paint));
  }
  const auto which = "CHALLENGE=" + name_of(task);
  auto findings = challenge.tests.findings;
  if (challenge.measured) {
    for (auto& finding : findings_of({*challenge.measured})) findings.push_back(finding);
  }
  if (!findings.empty()) {
    out += "\n" + shown(findings.front(), which, paint);
    if (findings.size() > 1) {
      out += fmt::format("    {}\n",
                         paint(Tone::quiet, fmt::format("and {} more", findings.size() - 1)));
    }
  }
  if (!challenge.figures.values.empty()) out += "\n";
  for (const auto& [question, answer] : challenge.figures.values) {
    out += fmt::format("    {} {}\n", paint(Tone::quiet, padded(question, 46)), answer);
  }
  if (!challenge.chart.empty()) {
    out += fmt::format("    {}\n", paint(Tone::accent, challenge.chart.string()));
  }
  return out;
}

nlohmann::json results_of(const std::vector<Challenge>& challenges) {
  auto results = nlohmann::json::array();
  for (const auto& challenge : challenges) {
    auto figures = nlohmann::json::object();
    for (const auto& [question, answer] : challenge.figures.values) figures[question] = answer;
    auto flavours = nlohmann::json::object();
    for (const auto& result : challenge.tests.flavours) {
      flavours[std::string(to_string(result.flavour))] = word_for(mark_of(result));
    }
    auto findings = nlohmann::json::array();
    for (const auto& finding : challenge.tests.findings) {
      findings.push_back({{"test", finding.test}, {"headline", finding.headline}});
    }
    results.push_back({{"challenge", name_of(*challenge.tests.task)},
                       {"folder", challenge.tests.task->folder},
                       {"title", challenge.tests.task->title},
                       {"verdict", word_for(challenge.met)},
                       {"why", challenge.why},
                       {"flavours", flavours},
                       {"findings", findings},
                       {"figures", figures},
                       {"chart", challenge.chart.string()}});
  }
  return results;
}

}  // namespace

int run_stretch(const Setting& given, const StretchRequest& request) {
  Setting setting = given;
  setting.workbook = open_stretch(given.workbook);
  if (setting.workbook.tasks.empty()) throw UsageError("there are no stretch challenges here");
  std::vector<int> numbers;
  for (const auto& name : request.challenges) {
    numbers.push_back(challenge(setting.workbook, name).number);
  }
  const auto submission = open_submission(setting.workbook, request.submission);
  const auto challenges = Stretch(setting, request).run(submission, numbers);
  if (setting.stop.stop_requested()) return status_interrupted;

  std::string out;
  for (const auto& one : challenges) out += told(one, setting.screen.paint());
  const auto count = [&](Met met) { return std::ranges::count(challenges, met, &Challenge::met); };
  out += fmt::format("\n  {} met, {} not met", count(Met::yes), count(Met::no));
  if (count(Met::unclear) > 0) out += fmt::format(", {} inconclusive", count(Met::unclear));
  setting.screen.say(out + "\n");

  const auto folder = setting.workbook.build_dir / "stretch";
  fs::create_directories(folder);
  write_whole_file(
      request.json.empty() ? folder / "results.json" : request.json,
      results_of(challenges).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  if (count(Met::no) > 0) return status_below;
  return count(Met::unclear) > 0 ? status_machine : status_done;
}

}  // namespace grader
