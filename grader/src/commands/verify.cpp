// verify: do tasks/ and solutions/ still fit together?
#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "bench.hpp"
#include "commands/commands.hpp"
#include "files.hpp"
#include "own_test_versions.hpp"
#include "predictions.hpp"
#include "readme_folds.hpp"
#include "similarity.hpp"
#include "text.hpp"

namespace grader {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kEarlierVersions = 5;
constexpr std::size_t kAlternatives = 2;
constexpr std::size_t kHints = 2;

class Verification {
 public:
  Verification(const Workbook& workbook, bool fix) : workbook_(workbook), fix_(fix) {}

  void check(const Task& task) {
    check_readme(task);
    check_hash(task, "starter", task.header, task.starter_hash);
    check_versions(task);
    if (!fs::exists(task.dir / "suite.cpp")) complain(task.dir / "suite.cpp", "is missing");
    if (workbook_.stretch) return;  // a challenge asks for no test of the learner's
    check_hash(task, "starter_test", "my_test.cpp", task.starter_test_hash);
    const auto own_test = task.solution / "my_test.cpp";
    if (!fs::exists(own_test)) complain(own_test, "is missing");
  }

  // A starter must compile, and each test must say that there is nothing there yet.
  void check_starter(const Task& task, const BuildOutcome& built, const RunOutcome& ran) {
    const auto header = task.dir / task.header;
    if (!built.ok) return complain(header, "the starter does not compile:\n" + built.error);
    if (!ran.problem.empty()) return complain(header, "the starter's tests: " + ran.problem);
    if (ran.tests.empty()) return complain(task.dir / "suite.cpp", "has no tests");
    for (const auto& test : ran.tests) {
      const bool says_so = std::ranges::any_of(test.failures, [](const Failure& failure) {
        return failure.message.find("not implemented yet") != std::string::npos;
      });
      if (test.outcome == Outcome::failed && says_so) continue;
      complain(header, fmt::format("with the starter, {} {} instead of saying \"not implemented "
                                   "yet\"",
                                   test.name, to_string(test.outcome)));
    }
  }

  void complain(const fs::path& file, const std::string& what) {
    problems_.push_back(fmt::format("{}: {}", fs::relative(file, workbook_.root).string(), what));
  }

  void take(const Verification& other) {
    problems_.insert(problems_.end(), other.problems_.begin(), other.problems_.end());
    fixed_.insert(fixed_.end(), other.fixed_.begin(), other.fixed_.end());
  }

  const std::vector<std::string>& problems() const { return problems_; }
  const std::vector<std::string>& fixed() const { return fixed_; }

 private:
  void mend(const fs::path& file, const std::string& contents, const std::string& what) {
    write_whole_file(file, contents);
    fixed_.push_back(fmt::format("{}: {}", fs::relative(file, workbook_.root).string(), what));
  }

  void check_readme(const Task& task) {
    const auto file = task.dir / "README.md";
    const auto page = slurp(file);
    if (page.empty()) return complain(file, "is missing");
    const auto folds = read_folds(page);
    if (folds.hints.size() < kHints) {
      complain(file,
               fmt::format("has {}; at least {} wanted",
                           counted(static_cast<long>(folds.hints.size()), "folded hint"), kHints));
    }
    if (page.find(task.title) == std::string::npos) {
      complain(file, fmt::format("does not have task.toml's title \"{}\"", task.title));
    }
    const auto reference = slurp(workbook_.reference(task));
    if (reference.empty()) return complain(workbook_.reference(task), "is missing");
    if (folds.reference == reference) return;
    const auto mended = with_reference(page, reference);
    if (fix_ && mended) return mend(file, *mended, "the folded reference is renewed");
    complain(file, mended ? "the folded reference is not solutions/'s; run grader verify --fix"
                          : "has no folded reference with a ```cpp block");
  }

  void check_hash(const Task& task, const std::string& key, const std::string& name,
                  const std::string& told) {
    const auto source = slurp(task.dir / name);
    if (source.empty()) return complain(task.dir / name, "is missing");
    const auto hash = token_hash(source);
    if (hash == told) return;
    const auto toml = task.dir / "task.toml";
    if (!fix_) {
      complain(toml, fmt::format("`{}` is not the hash of {}; if that is the file as it should be "
                                 "handed out, run grader verify --fix",
                                 key, name));
      return;
    }
    std::string text;
    bool written = false;
    const auto line_for = fmt::format("{} = \"{}\"\n", key, hash);
    for (const auto line : split_lines(slurp(toml))) {
      const bool is_it = trimmed(line.substr(0, line.find('='))) == key;
      if (!written && (is_it || line.starts_with('[') || (line.empty() && key != "starter"))) {
        text += line_for;
        written = true;
        if (is_it) continue;
      }
      if (!is_it) text += std::string(line) + "\n";
    }
    if (!written) text += line_for;
    mend(toml, text, fmt::format("`{}` is renewed", key));
  }

  void check_versions(const Task& task) {
    const auto earlier = headers_in(task.solution / "earlier");
    const auto alternatives = headers_in(task.solution / "alternative");
    if (earlier.size() < kEarlierVersions) {
      complain(task.solution / "earlier", fmt::format("has {} versions; at least {} wanted",
                                                      earlier.size(), kEarlierVersions));
    }
    if (alternatives.size() < kAlternatives) {
      complain(task.solution / "alternative", fmt::format("has {} versions; at least {} wanted",
                                                          alternatives.size(), kAlternatives));
    }
    std::map<std::string, fs::path> seen{
        {token_hash(slurp(workbook_.reference(task))), workbook_.reference(task)}};
    for (const auto& file : earlier) {
      if (first_sentence(slurp(file)).size() < 20) {
        complain(file, "its first sentence must say what is wrong and when it bites");
      }
      check_new(file, seen);
    }
    for (const auto& file : alternatives) check_new(file, seen);
    for (const auto& name : task.own_test_meets_first) {
      const bool there = std::ranges::any_of(
          earlier, [&](const fs::path& file) { return file.stem().string() == name; });
      if (!there) {
        complain(task.dir / "task.toml",
                 fmt::format("`meets_first` names {}, and {} has no such version", name,
                             (task.solution / "earlier").string()));
      }
    }
  }

  void check_new(const fs::path& file, std::map<std::string, fs::path>& seen) {
    const auto [other, added] = seen.emplace(token_hash(slurp(file)), file);
    if (!added) complain(file, "is the same program as " + other->second.filename().string());
  }

  const Workbook& workbook_;
  bool fix_;
  std::vector<std::string> problems_;
  std::vector<std::string> fixed_;
};

// The reference's author has predicted what it does: the scenes are played, and the answers right.
void check_predictions(const Setting& setting, Verification& verification) {
  Bench bench(bench_options(setting));
  const auto submission = open_submission(setting.workbook, setting.workbook.solutions_dir);
  for (const auto& task : setting.workbook.tasks) {
    if (!task.lifecycle || setting.stop.stop_requested()) continue;
    const auto file = task.dir / "predictions.toml";
    try {
      auto report = open_predictions(submission, task);
      if (report.predictions.empty()) {
        verification.complain(file, "is missing: the task's task.toml says lifecycle = true");
        continue;
      }
      setting.screen.doing("playing the scenes of " + task.folder);
      play_scenes(report,
                  setting.workbook.suite(task, setting.workbook.reference(task), Flavour::explored),
                  bench, setting.stop);
      if (!report.problem.empty()) verification.complain(file, report.problem);
      for (const auto& prediction : report.predictions) {
        if (prediction.came_true()) continue;
        verification.complain(
            file, fmt::format("{}, \"{}\": the reference's prediction is \"{}\", what happens is "
                              "\"{}\"{}",
                              prediction.test, prediction.question, prediction.predicted,
                              prediction.happened, prediction.trouble));
      }
    } catch (const PredictionsError& error) {
      verification.complain(file, error.what());
    }
  }
  setting.screen.doing({});
}

void check_starters(const Setting& setting, Verification& verification) {
  Bench bench(bench_options(setting));
  std::vector<Program> programs;
  for (const auto& task : setting.workbook.tasks) {
    programs.push_back(setting.workbook.suite(task, task.dir / task.header, Flavour::plain));
  }
  setting.screen.doing("compiling the starters");
  const auto built = bench.build(programs, {}, setting.stop);
  for (std::size_t i = 0; i < programs.size() && !setting.stop.stop_requested(); ++i) {
    setting.screen.doing("running the tests on the starter of " + programs[i].task->folder);
    const auto ran = built[i].ok ? bench.run(programs[i], {}, setting.stop) : RunOutcome{};
    verification.check_starter(*programs[i].task, built[i], ran);
  }
  setting.screen.doing({});
}

}  // namespace

int run_verify(const Setting& setting, bool fix) {
  Setting stretch = setting;
  stretch.workbook = open_stretch(setting.workbook);
  Verification verification(setting.workbook, fix);
  Verification challenges(stretch.workbook, fix);
  for (const auto& task : setting.workbook.tasks) verification.check(task);
  for (const auto& task : stretch.workbook.tasks) challenges.check(task);
  check_starters(setting, verification);
  check_predictions(setting, verification);
  if (!stretch.workbook.tasks.empty()) check_starters(stretch, challenges);
  if (setting.stop.stop_requested()) return status_interrupted;
  verification.take(challenges);
  const auto& paint = setting.screen.paint();
  for (const auto& what : verification.fixed()) {
    setting.screen.say(paint(Tone::good, "  fixed  ") + what);
  }
  for (const auto& what : verification.problems()) {
    setting.screen.say(paint(Tone::bad, "  wrong  ") + what);
  }
  const auto wrong = verification.problems().size();
  setting.screen.say(wrong == 0
                         ? fmt::format("  {} fit together.",
                                       counted(static_cast<long>(setting.workbook.tasks.size() +
                                                                 stretch.workbook.tasks.size()),
                                               "task"))
                         : fmt::format("  {}.", counted(static_cast<long>(wrong), "problem")));
  return wrong == 0 ? status_done : status_below;
}

}  // namespace grader
