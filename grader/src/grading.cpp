#include "grading.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <fmt/format.h>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <ranges>
#include <set>
#include <thread>
#include <utility>

#include "ledger.hpp"
#include "similarity.hpp"
#include "work_queue.hpp"

namespace grader {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// A flavour of a task on its way to a verdict.
struct Step {
  TaskReport* report = nullptr;
  std::size_t index = 0;  // in report->flavours
  Program program;
};

class Grading {
 public:
  Grading(const Workbook& workbook, const Submission& submission, Bench& bench,
          const GradeOptions& options, const GradeEvents& events, std::stop_token stop)
      : workbook_(workbook),
        submission_(submission),
        bench_(bench),
        options_(options),
        events_(events),
        stop_(std::move(stop)),
        ledger_(submission.is_solutions ? std::filesystem::path{} : submission.dir),
        started_(Clock::now()) {}

  GradeReport run() {
    for (const auto& wave : waves()) run_wave(wave);
    run_own_tests();
    GradeReport report;
    report.submission = submission_;
    for (const auto& task : workbook_.tasks) {
      if (!is_wanted(task.number)) continue;
      auto& graded = *reports_.at(task.number);
      report.total += graded.score.points;
      report.out_of += max_points;
      report.settled = report.settled && graded.score.settled;
      report.tasks.push_back(std::move(graded));
    }
    report.whole = report.tasks.size() == workbook_.tasks.size();
    report.toolchain = bench_.toolchain();
    report.sandboxed = bench_.sandboxed();
    if (!submission_.is_solutions) report.notices = ledger_.notices();
    for (const auto& notice : notices_) report.notices.push_back(notice);
    report.seconds = seconds_since(started_);
    return report;
  }

 private:
  using Wave = std::vector<const Task*>;

  bool is_wanted(int number) const {
    return options_.tasks.empty() ||
           std::ranges::find(options_.tasks, number) != options_.tasks.end();
  }

  // The wanted tasks and those they use. What others build on comes first, as it decides with which
  // header they are graded; all the rest is one wave, so that no processor waits for the slowest.
  std::vector<Wave> waves() const {
    std::map<int, std::size_t> height;  // the longest chain of tasks that stand on it
    const std::function<void(const Task&, std::size_t)> need = [&](const Task& task,
                                                                   std::size_t above) {
      if (above > workbook_.tasks.size()) {
        throw UsageError("the `uses` of the tasks' task.toml go in a circle");
      }
      height[task.number] = std::max(height[task.number], above);
      for (const int used : task.uses) need(workbook_.task(used), above + 1);
    };
    for (const auto& task : workbook_.tasks) {
      if (is_wanted(task.number)) need(task, 0);
    }
    std::map<std::size_t, Wave, std::greater<>> by_height;
    for (const auto& [number, above] : height) by_height[above].push_back(&workbook_.task(number));
    std::vector<Wave> waves;
    for (auto& wave : std::views::values(by_height)) waves.push_back(std::move(wave));
    return waves;
  }

  void run_wave(const Wave& wave) {
    steps_.clear();
    std::vector<Program> programs;
    for (const auto* task : wave) start(*task);
    // All plain verdicts first; then task by task.
    std::ranges::sort(steps_, {}, [](const Step& step) {
      const bool plain = step.program.flavour == Flavour::plain;
      return std::tuple(!plain, step.report->task->number, step.index);
    });
    for (const auto& step : steps_) programs.push_back(step.program);
    if (programs.empty() || stop_.stop_requested()) return;

    WorkQueue queue(jobs());
    queue_ = &queue;
    doing("compiling");
    bench_.build(
        programs,
        [&](std::size_t i, const BuildOutcome& built) {
          queue.post([this, i, built] { guarded([&] { on_built(steps_[i], built); }); });
        },
        stop_);
    queue.finish();
    if (failure_) std::rethrow_exception(failure_);
  }

  std::size_t jobs() const {
    return options_.jobs > 0 ? options_.jobs : std::max(1U, std::thread::hardware_concurrency());
  }

  // Last of all: they take long, and every other verdict is out by then. The later a task, the
  // longer its own test takes as a rule; the longest first keeps all processors busy to the end.
  void run_own_tests() {
    if (stop_.stop_requested()) return;
    WorkQueue queue(jobs());
    for (auto& report : std::views::values(reports_) | std::views::reverse) {
      if (report->evidence.standing != Standing::passed || !is_wanted(report->task->number)) {
        continue;
      }
      queue.post([this, &report] {
        guarded([&] {
          if (stop_.stop_requested()) return;
          try_own_test(*report);
          settle(*report);
        });
      });
    }
    queue.finish();
    if (failure_) std::rethrow_exception(failure_);
  }

  // Looks at the header; plans its programs unless there is nothing to build.
  void start(const Task& task) {
    auto& report = *(reports_[task.number] = std::make_unique<TaskReport>());
    report.task = &task;
    recall_history(report);
    const auto header = read_submitted(submission_, task, task.header);
    if (!header.exists) {
      report.evidence.standing = Standing::missing;
      report.score = score(report.evidence);
      return;
    }
    if (header.text && token_hash(*header.text) == task.starter_hash) {
      report.evidence.standing = Standing::not_started;
      report.score = score(report.evidence);
      return;
    }
    if (header.text) {
      sources_[task.number] = *header.text;
      report.evidence.copied = !submission_.is_solutions && is_copied(task, *header.text);
    }
    choose_used_headers(report);
    const auto uses = headers_used(report);
    for (const auto flavour : all_flavours) {
      if (flavour == Flavour::explored && task.explore.seconds <= 0) continue;
      FlavourResult result;
      result.flavour = flavour;
      report.flavours.push_back(result);
      steps_.push_back({.report = &report,
                        .index = report.flavours.size() - 1,
                        .program = {.task = &task,
                                    .source = task.dir / "suite.cpp",
                                    .header = header.path,
                                    .uses = uses,
                                    .flavour = flavour,
                                    .label = fmt::format("{} {}", task.folder, to_string(flavour)),
                                    .unwanted = flavour == Flavour::plain
                                                    ? std::stop_token{}
                                                    : plain_decides_[task.number].get_token()}});
    }
  }

  // A broken task 5 must not sink those that build on it.
  void choose_used_headers(TaskReport& report) const {
    for (const int number : report.task->uses) {
      const bool passes = reports_.at(number)->evidence.standing == Standing::passed;
      report.uses.push_back({.task = number, .learners = passes});
    }
  }

  bool is_copied(const Task& task, const std::string& source) const {
    const auto shape = shape_hash(source);
    auto files = headers_in(task.solution / "alternative");
    files.push_back(workbook_.reference(task));
    return std::ranges::any_of(files,
                               [&](const auto& file) { return shape_hash(slurp(file)) == shape; });
  }

  void on_built(const Step& step, const BuildOutcome& built) {
    auto& report = *step.report;
    auto& result = report.flavours[step.index];
    const bool plain = step.program.flavour == Flavour::plain;
    if (plain && built.ok) keep_version(report);
    {
      const std::lock_guard lock(mutex_);
      result.built = !built.abandoned;
      result.build = built;
      // The others wait for the plain verdict: there may be no point in running them.
      if (!plain && !plain_done_.contains(report.task->number)) {
        held_[report.task->number].push_back(&step);
        return;
      }
    }
    run_step(step);
    if (plain) after_plain(report);
  }

  void after_plain(TaskReport& report) {
    std::vector<const Step*> held;
    {
      const std::lock_guard lock(mutex_);
      report.findings = findings_of(report.flavours);
      events_.plain_verdict(report);
      plain_done_.insert(report.task->number);
      held = std::move(held_[report.task->number]);
    }
    // What is still being built would not be run.
    if (stops_here(report.flavours.front())) plain_decides_.at(report.task->number).request_stop();
    for (const auto* step : held) {
      queue_->post([this, step] { guarded([&] { run_step(*step); }); });
    }
  }

  // Runs a flavour's tests, and judges the task when it was the last one.
  void run_step(const Step& step) {
    auto& report = *step.report;
    auto& result = report.flavours[step.index];
    const bool plain = step.program.flavour == Flavour::plain;
    if (result.build.ok && (plain || !stops_here(report.flavours.front()))) {
      run_tests(step, result);
    }
    bool last = false;
    {
      const std::lock_guard lock(mutex_);
      last = ++done_[report.task->number] == report.flavours.size();
    }
    if (last) judge(report);
  }

  void run_tests(const Step& step, FlavourResult& result) {
    doing(fmt::format("{} · {}", step.report->task->folder, spoken(step.program.flavour)));
    RunOptions run;
    run.use_cache = !options_.fresh;
    run.expected =
        bench_.expected_tests(*step.program.task, step.program.source, step.program.flavour);
    RunOutcome outcome;
    if (step.program.flavour == Flavour::explored && run.expected.empty()) {
      outcome.explored_unavailable = true;  // nothing to explore in this task
    } else {
      outcome = bench_.run(step.program, run, stop_);
    }
    const std::lock_guard lock(mutex_);
    result.run = std::move(outcome);
    result.ran = true;
    if (!result.run.notice.empty()) notices_.insert(result.run.notice);
  }

  static std::string spoken(Flavour flavour) {
    switch (flavour) {
      case Flavour::plain:
        return "running the tests";
      case Flavour::thread:
        return "looking for data races";
      case Flavour::address:
        return "looking for memory errors and leaks";
      case Flavour::explored:
        return "trying schedules";
    }
    return {};
  }

  void judge(TaskReport& report) {
    if (stop_.stop_requested()) return;
    if (stops_here(report.flavours.front())) forget_other_flavours(report);
    report.findings = findings_of(report.flavours);
    report.evidence.standing = standing_of(report.flavours);
    if (is_wanted(report.task->number) && report.flavours.front().build.ok) predict(report);
    if (report.evidence.standing == Standing::failed) reject_version(report);
    if (report.evidence.standing == Standing::passed) {
      if (!report.evidence.copied) note(Event::passed, report);
    }
    settle(report);
  }

  // How far their builds had come is chance.
  static void forget_other_flavours(TaskReport& report) {
    for (auto& result : report.flavours) {
      if (result.flavour == Flavour::plain) continue;
      const auto flavour = result.flavour;
      result = {};
      result.flavour = flavour;
    }
  }

  void settle(TaskReport& report) {
    recall_history(report);
    report.score = score(report.evidence);
    report.seconds = seconds_since(started_);
  }

  void predict(TaskReport& report) {
    report.predictions = open_predictions(submission_, *report.task);
    if (!report.predictions.any_answered()) return;
    doing(report.task->folder + " · playing the predicted scenes");
    play_scenes(report.predictions,
                {.task = report.task,
                 .source = {},
                 .header = submission_.dir / report.task->folder / report.task->header,
                 .uses = headers_used(report),
                 .flavour = Flavour::explored,
                 .label = {}},
                bench_, stop_);
  }

  std::vector<std::filesystem::path> headers_used(const TaskReport& report) const {
    std::vector<std::filesystem::path> headers;
    for (const auto& use : report.uses) {
      const auto& used = workbook_.task(use.task);
      headers.push_back(use.learners ? submission_.dir / used.folder / used.header
                                     : workbook_.reference(used));
    }
    return headers;
  }

  void try_own_test(TaskReport& report) {
    const auto& task = *report.task;
    OwnTestCase own{.workbook = &workbook_,
                    .submission = &submission_,
                    .task = &task,
                    .uses = headers_used(report),
                    .kept = {},
                    .fresh = options_.fresh};
    if (!submission_.is_solutions) {
      const std::lock_guard lock(ledger_mutex_);
      for (const auto& version : ledger_.of(task.number).versions) {
        if (!version.rejected) continue;  // nothing is known to be wrong with it
        if (auto file = ledger_.version_file(task.folder, version)) {
          own.kept.push_back({version.number, std::move(*file)});
        }
      }
    }
    own.doing = [&](const std::string& what) { doing(task.folder + " · " + what); };
    report.own_test = judge_own_test(own, bench_, stop_);
    report.evidence.own_test = report.own_test.verdict;
    if (report.own_test.verdict == OwnTest::qualified && !report.evidence.copied) {
      note(Event::third, report);
    }
  }

  void keep_version(const TaskReport& report) {
    if (submission_.is_solutions || !options_.keep_ledger) return;
    const auto source = sources_.find(report.task->number);
    if (source == sources_.end()) return;
    const std::lock_guard lock(ledger_mutex_);
    ledger_.keep_version(report.task->number, report.task->folder, source->second,
                         token_hash(source->second));
  }

  // Only what the suite has failed is worth breaking.
  void reject_version(const TaskReport& report) {
    if (submission_.is_solutions || !options_.keep_ledger) return;
    const std::lock_guard lock(ledger_mutex_);
    ledger_.reject_version(report.task->number, token_hash(sources_.at(report.task->number)));
  }

  // Written down once: what was earned before help was opened stays earned.
  void note(Event event, const TaskReport& report) {
    if (submission_.is_solutions || !options_.keep_ledger) return;
    const int number = report.task->number;
    const std::lock_guard lock(ledger_mutex_);
    const auto told = ledger_.of(number);
    const bool known = event == Event::passed
                           ? told.passed
                           : told.qualified_before_reference || told.reference_opened;
    if (!known) ledger_.add(event, number, 0, token_hash(sources_.at(number)));
  }

  void recall_history(TaskReport& report) {
    if (submission_.is_solutions) return;
    const std::lock_guard lock(ledger_mutex_);
    const auto told = ledger_.of(report.task->number);
    report.evidence.hint_first = told.hint_first;
    report.evidence.reference_first = told.reference_first;
    report.evidence.reference_opened = told.reference_opened;
    report.evidence.qualified_before_reference = told.qualified_before_reference;
    report.hints_opened = told.hints_opened;
    report.versions_kept = static_cast<int>(told.versions.size());
  }

  void doing(const std::string& what) {
    const std::lock_guard lock(mutex_);
    events_.doing(what);
  }

  // A job must not throw: the first failure ends the grading once the queue is empty.
  template <class Body>
  void guarded(Body body) {
    try {
      if (!failed_) body();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failed_) failure_ = std::current_exception();
      failed_ = true;
    }
  }

  const Workbook& workbook_;
  const Submission& submission_;
  Bench& bench_;
  const GradeOptions& options_;
  const GradeEvents& events_;
  std::stop_token stop_;
  std::mutex ledger_mutex_;
  Ledger ledger_;  // guarded by ledger_mutex_
  Clock::time_point started_;

  std::map<int, std::unique_ptr<TaskReport>> reports_;
  std::map<int, std::string> sources_;             // the submitted headers, as they were read
  std::map<int, std::stop_source> plain_decides_;  // stopped: no other flavour is needed
  std::vector<Step> steps_;                        // of the wave that runs
  WorkQueue* queue_ = nullptr;

  std::mutex mutex_;                              // guards what follows, and events_
  std::map<int, std::vector<const Step*>> held_;  // built, waiting for the plain verdict
  std::set<int> plain_done_;
  std::map<int, std::size_t> done_;
  std::set<std::string> notices_;
  std::exception_ptr failure_;
  std::atomic<bool> failed_ = false;
};

}  // namespace

GradeReport grade(const Workbook& workbook, const Submission& submission, Bench& bench,
                  const GradeOptions& options, const GradeEvents& events, std::stop_token stop) {
  return Grading(workbook, submission, bench, options, events, std::move(stop)).run();
}

}  // namespace grader
