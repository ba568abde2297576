// audit: every suite on every version whose verdict is known beforehand.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "bench.hpp"
#include "commands/commands.hpp"
#include "files.hpp"
#include "kill_table.hpp"
#include "own_test.hpp"
#include "own_test_versions.hpp"
#include "verdict.hpp"
#include "work_queue.hpp"

namespace grader {
namespace {

namespace fs = std::filesystem;

// In the order in which a quick audit stops at the first rejection: the cheapest first.
constexpr std::array kOrder = {Flavour::plain, Flavour::explored, Flavour::thread,
                               Flavour::address};

// Keeps every core busy with something else while it lives.
class Load {
 public:
  explicit Load(bool wanted) {
    const auto cores = wanted ? std::max(1U, std::thread::hardware_concurrency()) : 0U;
    for (unsigned i = 0; i < cores; ++i) {
      threads_.emplace_back([](const std::stop_token& stop) {
        std::atomic<unsigned> spins = 0;
        while (!stop.stop_requested()) spins.fetch_add(1, std::memory_order_relaxed);
      });
    }
  }

 private:
  std::vector<std::jthread> threads_;
};

struct Candidate {
  const Task* task = nullptr;
  fs::path header;
  VersionCounts counts;
  std::vector<Program> programs;  // in kOrder, those wanted
  std::size_t tell_tale = 0;      // of programs: the one that rejected it last
};

class Audit {
 public:
  Audit(const Setting& setting, const AuditRequest& request)
      : setting_(setting), request_(request), bench_(bench_options(setting)) {}

  // Only these tasks; none: all. Adds what it counted to `results`.
  int run(const std::vector<int>& numbers, nlohmann::json& results) {
    collect(numbers);
    for (const auto* task : tasks_) {
      audit(*task);
      look_at_those_met_first(*task);
      if (setting_.stop.stop_requested()) {  // hours may have gone into what is counted so far
        tell(results);
        return status_interrupted;
      }
      if (!request_.scorecard) tell_table(task);
    }
    return tell(results);
  }

 private:
  bool wants(Flavour flavour) const {
    if (flavour == Flavour::explored && !bench_.explorer_available()) return false;
    return request_.flavours.empty() ||
           std::ranges::find(request_.flavours, to_string(flavour)) != request_.flavours.end();
  }

  void collect(const std::vector<int>& numbers) {
    for (const int number : numbers) tasks_.push_back(&setting_.workbook.task(number));
    if (numbers.empty()) {
      for (const auto& task : setting_.workbook.tasks) tasks_.push_back(&task);
    }
    for (const auto* one : tasks_) {
      const auto& task = *one;
      const bool ours = request_.versions.empty();
      const auto solution = ours ? task.solution : request_.versions / task.folder;
      if (ours) add(task, solution / task.header, "reference", true);
      for (const auto& file : headers_in(solution / "alternative")) {
        add(task, file, "alternative/" + file.stem().string(), true);
      }
      for (const auto& file : headers_in(solution / "earlier")) {
        add(task, file, "earlier/" + file.stem().string(), false);
      }
    }
  }

  void add(const Task& task, const fs::path& header, std::string name, bool right) {
    if ((right ? request_.right_runs : request_.earlier_runs) == 0) return;
    if (!right && flawed_++ % request_.parts != request_.part % request_.parts) {
      ++left_out_;
      return;
    }
    Candidate candidate{.task = &task, .header = header, .counts = {}, .programs = {}};
    candidate.counts.task = task.number;
    candidate.counts.name = std::move(name);
    candidate.counts.right = right;
    for (const auto flavour : kOrder) {
      if (!wants(flavour)) continue;
      if (flavour == Flavour::explored && task.explore.seconds <= 0) continue;
      candidate.programs.push_back(setting_.workbook.suite(task, header, flavour));
    }
    candidates_.push_back(std::move(candidate));
  }

  // A scorecard is about verdicts: a flawed version's grading ends with its first rejection, and
  // begins where the one before was rejected.
  bool ends_early(const Candidate& candidate) const {
    return request_.scorecard && !candidate.counts.right;
  }

  // Builds a task's programs and runs them. A quick audit builds a flavour only for the versions
  // that nothing has rejected so far; what a scorecard may not need is built when it does.
  void audit(const Task& task) {
    if (request_.quick) {
      for (const auto flavour : kOrder) run_round(task, {.only = &flavour});
      // It asks whether a suite sees what is wrong with a version. How often it does is for the
      // others to count: one that was missed by bad luck is graded once more, and named.
      for (const auto flavour : kOrder) run_round(task, {.only = &flavour, .again = true});
      return;
    }
    const auto most = std::max(request_.earlier_runs, request_.right_runs);
    run_round(task, {.runs = request_.loaded ? most / 2 : most});
    if (request_.loaded) run_round(task, {.runs = most - most / 2, .loaded = true});
  }

  // A grading takes it for granted that these pass Basic: an own test meets them first because of
  // it. What the machine could not run is for the next audit.
  void look_at_those_met_first(const Task& task) {
    if (!request_.versions.empty()) return;
    for (const auto& candidate : candidates_) {
      if (candidate.task != &task || candidate.counts.right) continue;
      if (!candidate.counts.trouble.empty() || !is_met_first(task, candidate.header)) continue;
      for (const auto& program : candidate.programs) {
        if (program.flavour != Flavour::plain || setting_.stop.stop_requested()) continue;
        if (passes_basic(program, bench_, setting_.stop).value_or(true)) continue;
        rejections_.push_back(fmt::format("task {} {}: `meets_first` names it, and it fails Basic",
                                          task.number, candidate.counts.name));
        ++misnamed_;
      }
    }
  }

  // How often each version of a task is graded, and how.
  struct Round {
    int runs = 1;
    const Flavour* only = nullptr;  // of a quick audit, whose rounds are parts of one grading
    bool loaded = false;
    bool again = false;  // flawed ones that nothing has rejected; what is known does not count
  };

  static bool takes_part(const Candidate& candidate, const Task& task, const Round& round) {
    const auto& counts = candidate.counts;
    if (candidate.task != &task || !counts.trouble.empty()) return false;
    if (counts.right) return !round.again;
    return round.only == nullptr || counts.graded.rejected == 0;
  }

  void run_round(const Task& task, const Round& round) {
    std::vector<std::pair<Candidate*, const Program*>> chosen;
    std::vector<Program> programs;
    for (auto& candidate : candidates_) {
      if (!takes_part(candidate, task, round)) continue;
      for (const auto& program : candidate.programs) {
        if (round.only != nullptr && program.flavour != *round.only) continue;
        if (ends_early(candidate) && &program != &candidate.programs[candidate.tell_tale]) continue;
        chosen.emplace_back(&candidate, &program);
        programs.push_back(program);
      }
    }
    if (programs.empty() || setting_.stop.stop_requested()) return;
    setting_.screen.doing(fmt::format("{} · compiling {} programs", task.folder, programs.size()));
    const auto built = bench_.build(programs, {}, setting_.stop);
    if (setting_.stop.stop_requested()) return;  // what was not built says nothing
    for (std::size_t i = 0; i < built.size(); ++i) {
      if (built[i].ok) continue;
      const auto& why = built[i];
      chosen[i].first->counts.trouble =
          !why.machine.empty() ? why.machine : "does not build: " + why.error + why.refused;
    }
    const Load load(round.loaded);
    const auto cores = std::max(1U, std::thread::hardware_concurrency());
    const auto usual = request_.quick ? 2 * cores : cores;  // one that hangs keeps no core busy
    WorkQueue queue(setting_.jobs > 0 ? setting_.jobs : usual);
    for (int run = 0; run < round.runs; ++run) {
      for (auto& candidate : candidates_) {
        const auto wanted = candidate.counts.right ? request_.right_runs : request_.earlier_runs;
        if (!takes_part(candidate, task, round)) continue;
        if (round.only == nullptr && run + done_[&candidate] >= wanted) continue;
        queue.post([this, &candidate, &round, run] {
          grade_once(candidate, round,
                     fmt::format("{} · {} · run {} of {}", candidate.task->folder,
                                 candidate.counts.name, run + 1, round.runs));
        });
      }
    }
    queue.finish();
    for (auto& candidate : candidates_) {
      if (candidate.task == &task) done_[&candidate] += round.runs;
    }
  }

  // One grading of one version: each flavour once.
  void grade_once(Candidate& candidate, const Round& round, const std::string& label) {
    bool rejected = false;
    bool unclear = false;
    bool ran = false;
    const auto programs = candidate.programs.size();
    const auto first = ends_early(candidate) ? told_by(candidate) : 0;
    for (std::size_t i = 0; i < programs; ++i) {
      const auto index = (first + i) % programs;
      const auto& program = candidate.programs[index];
      if (setting_.stop.stop_requested()) return;
      if (round.only != nullptr && program.flavour != *round.only) continue;
      setting_.screen.doing(label);
      RunOptions options;
      options.use_cache = request_.quick && !round.again;
      options.stop_at_failure = !candidate.counts.right && (request_.quick || request_.scorecard);
      options.seed = options.use_cache ? 0 : std::random_device{}();
      options.expected = bench_.expected_tests(*candidate.task, program.source, program.flavour);
      if (program.flavour == Flavour::explored && options.expected.empty()) continue;
      const auto result = result_of(program.flavour, bench_.run(program, options, setting_.stop));
      const auto mark = mark_of(result);
      if (setting_.stop.stop_requested() && mark == Mark::unclear) return;  // it was cut short
      if (mark == Mark::off) continue;
      const std::lock_guard lock(mutex_);
      auto& counts = candidate.counts;
      if (mark == Mark::unclear) {
        ++counts.inconclusive;
        unclear = true;
        continue;
      }
      ran = true;
      auto& count = counts.by_flavour.at(static_cast<std::size_t>(program.flavour));
      ++count.runs;
      seconds_[&candidate] += result.run.seconds;
      if (mark == Mark::ok) continue;
      ++count.rejected;
      rejected = true;
      if (!counts.first_seconds) counts.first_seconds = seconds_[&candidate];
      if (counts.right) remember_rejection(candidate, result);
      if (round.again) {
        rejections_.push_back(fmt::format("task {} {}: rejected in its second grading only",
                                          counts.task, counts.name));
      }
      candidate.tell_tale = index;
      if (ends_early(candidate)) break;
    }
    const std::lock_guard lock(mutex_);
    const std::size_t load = round.loaded ? 1 : 0;
    if (!rejected && unclear) ++candidate.counts.unclear_by_load.at(load);
    if (!rejected && (unclear || !ran)) return;
    for (auto* count : {&candidate.counts.graded, &candidate.counts.by_load.at(load)}) {
      // In a quick audit the flavours are rounds of one grading.
      if (!request_.quick || count->runs == 0) ++count->runs;
      if (rejected && (!request_.quick || count->rejected == 0)) ++count->rejected;
    }
  }

  std::size_t told_by(const Candidate& candidate) {
    const std::lock_guard lock(mutex_);
    return candidate.tell_tale;
  }

  // A right version that was rejected is the worst that can happen: say what the suite said.
  void remember_rejection(const Candidate& candidate, const FlavourResult& result) {
    rejections_.push_back(fmt::format("task {} {} {}: {}", candidate.task->number,
                                      candidate.counts.name, to_string(result.flavour),
                                      first_finding(result)));
  }

  // Of one task, or of all.
  std::vector<VersionCounts> counts_of(const Task* task) const {
    std::vector<VersionCounts> counts;
    for (const auto& candidate : candidates_) {
      if (task == nullptr || candidate.task == task) counts.push_back(candidate.counts);
    }
    return counts;
  }

  // As soon as a task is done: the whole takes long.
  void tell_table(const Task* task) {
    setting_.screen.doing({});
    if (const auto counts = counts_of(task); !counts.empty()) {
      setting_.screen.say("\n" + kill_table(counts));
    }
  }

  int tell(nlohmann::json& results) {
    setting_.screen.doing({});
    const auto counts = counts_of(nullptr);
    if (request_.scorecard) setting_.screen.say("\n" + scorecard(counts));
    for (const auto& rejection : rejections_) setting_.screen.say(rejection);
    const auto unmet = std::ranges::count_if(counts, &VersionCounts::unmet);
    const auto wrong = std::ranges::count_if(counts, [](const VersionCounts& version) {
      return !version.unmet() && !version.as_it_should_be();
    });
    setting_.screen.say(fmt::format("  {} versions told for what they are, {} not{}.",
                                    static_cast<long>(counts.size()) - wrong - unmet, wrong,
                                    unmet > 0 ? fmt::format(", {} not met", unmet) : ""));
    if (left_out_ > 0) {
      setting_.screen.say(fmt::format("  {} flawed versions are in other parts.", left_out_));
    }
    add_results(counts, results);
    return wrong + unmet == 0 && misnamed_ == 0 && !counts.empty() ? status_done : status_below;
  }

  void add_results(const std::vector<VersionCounts>& counts, nlohmann::json& results) const {
    for (const auto& version : counts) {
      const auto sure = wilson(version.graded);
      nlohmann::json flavours;
      for (const auto flavour : all_flavours) {
        const auto& count = version.by_flavour.at(static_cast<std::size_t>(flavour));
        flavours[std::string(to_string(flavour))] = {{"runs", count.runs},
                                                     {"rejected", count.rejected}};
      }
      results.push_back({{"task", version.task},
                         {"folder", setting_.workbook.task(version.task).folder},
                         {"version", version.name},
                         {"right", version.right},
                         {"flavours", flavours},
                         {"gradings", version.graded.runs},
                         {"rejected", version.graded.rejected},
                         {"low", sure.low},
                         {"high", sure.high},
                         {"inconclusive", version.inconclusive},
                         {"as_it_should_be", version.as_it_should_be()}});
    }
  }

  const Setting& setting_;
  const AuditRequest& request_;
  Bench bench_;
  std::vector<const Task*> tasks_;
  std::size_t flawed_ = 0;  // of all parts
  std::size_t left_out_ = 0;
  int misnamed_ = 0;
  std::vector<Candidate> candidates_;
  std::map<const Candidate*, int> done_;
  std::mutex mutex_;  // guards the counts, tell_tale, seconds_ and rejections_
  std::map<const Candidate*, double> seconds_;
  std::vector<std::string> rejections_;
};

}  // namespace

int run_audit(const Setting& setting, const AuditRequest& request) {
  if (request.own_tests) return audit_own_tests(setting, request);
  auto results = nlohmann::json::array();
  int status = status_done;
  const bool all = request.tasks.empty() && request.challenges.empty();
  if (all || !request.tasks.empty()) {
    status = Audit(setting, request).run(request.tasks, results);
    const bool whole = !request.quick && !request.scorecard && request.flavours.empty();
    if (whole && request.versions.empty() && request.right_runs > 0) {
      status = std::max(status, audit_own_tests(setting, request));
    }
  }
  Setting stretch = setting;
  stretch.workbook = open_stretch(setting.workbook);
  std::vector<int> numbers;
  for (const auto& name : request.challenges) {
    numbers.push_back(challenge(stretch.workbook, name).number);
  }
  if ((all && !stretch.workbook.tasks.empty()) || !numbers.empty()) {
    setting.screen.say("\n  Stretch challenges");
    status = std::max(status, Audit(stretch, request).run(numbers, results));
  }
  if (!request.json.empty() && status != status_interrupted) {
    write_whole_file(request.json, results.dump(2) + "\n");
  }
  return status;
}

}  // namespace grader
