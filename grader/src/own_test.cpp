#include "own_test.hpp"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <random>
#include <utility>

#include "digest.hpp"
#include "machine.hpp"
#include "own_test_copies.hpp"
#include "own_test_memory.hpp"
#include "own_test_versions.hpp"
#include "rules_digest.hpp"
#include "similarity.hpp"
#include "text.hpp"
#include "trial.hpp"
#include "verdict.hpp"

namespace grader {
namespace {

using Clock = std::chrono::steady_clock;
using End = Played::End;

// What all its runs on the versions may take together, and the same with what the machine takes for
// compiling them: the one is up to the test, the other hardly.
constexpr double kLongestRuns = 90;
constexpr double kLongest = 3 * kLongestRuns;
constexpr double kSlow = 2;  // seconds for one run
// A version may take so many times what the learner's own took, within these seconds.
constexpr double kPatience = 20;
constexpr double kLeastSeconds = 6;
constexpr double kMostSeconds = 15;

const char* circumstances(Flavour flavour) {
  return flavour == Flavour::thread ? " under ThreadSanitizer" : "";
}

OwnTestReport no(std::string why, std::string detail = {}) {
  OwnTestReport report;
  report.verdict = OwnTest::unqualified;
  report.why = std::move(why);
  report.detail = std::move(detail);
  return report;
}

OwnTestReport unclear(std::string why) {
  auto report = no(std::move(why));
  report.verdict = OwnTest::inconclusive;
  return report;
}

// One own test and everything it is played against.
class Judge {
 public:
  Judge(const OwnTestCase& own, Bench& bench, std::stop_token stop)
      : own_(own), bench_(bench), stop_(std::move(stop)), versions_(collect_versions(own)) {}

  OwnTestReport run() {
    const auto mine = read_submitted(*own_.submission, *own_.task, "my_test.cpp");
    source_ = mine.path;
    if (!mine.exists) return not_written("there is no my_test.cpp");
    if (!mine.text) return no("my_test.cpp is not a plain file of at most 1 MiB");
    if (token_hash(*mine.text) == own_.task->starter_test_hash) {
      return not_written("my_test.cpp is still the example it came with");
    }
    const auto folder = own_.workbook->build_dir / "own_test";
    OwnTestMemory memory(folder, key_of(*mine.text));
    copies_.emplace(
        versions_, folder / fmt::format("{:016x}", memory.seed()), memory.seed(),
        [this](const auto& header, Flavour flavour) { return program(header, flavour); });

    const auto on_current = "current " + versions_.current.hash;
    const auto on_versions = "versions " + hash_of_suspects();
    auto against_current = own_.fresh ? std::nullopt : memory.recall(on_current);
    if (!against_current) {
      against_current = try_current();
      if (against_current->verdict == OwnTest::inconclusive) return *against_current;
      memory.remember(on_current, *against_current);
    }
    if (against_current->verdict != OwnTest::qualified) return *against_current;
    auto against_versions = own_.fresh ? std::nullopt : recall_kill(memory);
    if (!against_versions && !own_.fresh) against_versions = memory.recall(on_versions);
    if (!against_versions) {
      against_versions = try_versions();
      if (against_versions->verdict == OwnTest::inconclusive) return *against_versions;
      memory.remember(on_versions, *against_versions);
      if (against_versions->verdict == OwnTest::qualified) {
        memory.remember("kill " + killed_, *against_versions);
      }
    }
    return *against_versions;
  }

 private:
  static OwnTestReport not_written(std::string why) {
    auto report = no(std::move(why));
    report.verdict = OwnTest::not_written;
    return report;
  }

  std::string key_of(const std::string& text) const {
    Digest digest;
    digest.field(rules_of_own_tests).field(text).field(own_.task->folder);
    auto right = program(versions_.rights.front().original, Flavour::plain);
    digest.field(bench_.key(right));
    right.uses = own_.uses;
    digest.field(bench_.key(right));
    for (const auto& version : versions_.rights) digest.field(version.hash);
    return digest.hex();
  }

  std::string hash_of_suspects() const {
    Digest digest;
    for (const auto& suspect : versions_.suspects) digest.field(suspect.hash);
    return digest.hex();
  }

  // A version broken in an earlier grading is still broken; it only has to be here still.
  std::optional<OwnTestReport> recall_kill(const OwnTestMemory& memory) const {
    for (const auto& suspect : versions_.suspects) {
      auto kill = memory.recall("kill " + suspect.hash);
      if (!kill) continue;
      // It may have had another name then: the workbook's, or another number of the learner's.
      kill->version = suspect.name;
      kill->why = fmt::format("it broke {}", suspect.name);
      return kill;
    }
    return std::nullopt;
  }

  // The tasks that this one builds on are the workbook's but for the current header: the learner's
  // own could look into a version on the test's behalf.
  Program program(const std::filesystem::path& header, Flavour flavour) const {
    return {.task = own_.task,
            .source = source_,
            .header = header,
            .uses = header == versions_.current.original ? own_.uses : references(),
            .flavour = flavour,
            .label = own_.task->folder + " my_test"};
  }

  std::vector<std::filesystem::path> references() const {
    std::vector<std::filesystem::path> headers;
    for (const int number : own_.task->uses) {
      headers.push_back(own_.workbook->reference(own_.workbook->task(number)));
    }
    return headers;
  }

  // Does it compile, drive the task, and pass every time on the learner's header?
  OwnTestReport try_current() {
    say("on your header");
    auto& current = versions_.current;
    const auto mine = program(current.original, Flavour::plain);
    const auto built = bench_.build(std::span(&mine, 1), {}, stop_);
    if (!built.front().machine.empty()) return unclear(built.front().machine);
    if (!built.front().refused.empty()) return no(built.front().refused);
    if (!built.front().ok) return no("my_test.cpp does not compile", built.front().error);
    int unclear_runs = 0;
    double slowest = 0;
    for (int run = 0; run < passes_on_current; ++run) {
      const auto outcome = run_once(mine);
      slowest = std::max(slowest, outcome.seconds);
      if (run == 0 && counted(outcome) == 0 && played(outcome).end == End::passed) {
        return no("it does not use workbook::stress or a property yet");
      }
      const auto one = played(outcome);
      if (one.end == End::unclear && ++unclear_runs > 3) return unclear(one.how);
      if (one.end == End::broke) {
        return no(
            fmt::format("it fails on your own header, in run {} of {}", run + 1, passes_on_current),
            last_failure_);
      }
    }
    limit_tests(slowest);
    OwnTestReport report;
    report.verdict = OwnTest::qualified;
    return report;
  }

  // A version that hangs shall not use up the others' time. The same for all, right and wrong.
  void limit_tests(double slowest) {
    test_seconds_ =
        static_cast<unsigned>(std::clamp(kPatience * slowest, kLeastSeconds, kMostSeconds));
  }

  OwnTestReport try_versions() {
    if (versions_.suspects.empty()) return no("there is no earlier version to break");
    if (test_seconds_ == 0) {  // the learner's header was tried in an earlier grading
      limit_tests(run_once(program(versions_.current.original, Flavour::plain)).seconds);
    }
    if (auto problem = build_rights()) return *problem;
    std::random_device device;
    std::mt19937_64 chance(device());
    started_ = Clock::now();
    run_seconds_before_ = run_seconds_;
    const Players players{
        .rights = copies_->rights(),
        .suspects = copies_->suspects(),
        .play_right =
            [&](std::size_t right, std::size_t like) {
              return played(run_once(copies_->next_of_right(right, copies_->flavour(like))));
            },
        .play_suspect = [&](std::size_t suspect) { return play_suspect(suspect); },
        .prepare = [&](std::size_t from, std::size_t to) { prepare(from, to); },
        .counts =
            [&](std::size_t suspect) {
              return works_in_general(copies_->version(suspect)) && compile_anew(suspect);
            },
        .each_build_broke = [&](std::size_t) { return copies_->each_fresh_copy_broke(); },
        .out_of_time = [&] { return stop_.stop_requested() || took_too_long(); }};
    return told(try_test(players, chance));
  }

  // It gets as much time as on a machine of its own.
  bool took_too_long() const {
    const double share = std::clamp(crowding(), 1.0, 10.0);
    return seconds_of_runs() > kLongestRuns * share || seconds_in_all() > kLongest * share;
  }

  double seconds_of_runs() const { return run_seconds_ - run_seconds_before_; }
  double seconds_in_all() const {
    return std::chrono::duration<double>(Clock::now() - started_).count();
  }

  std::optional<OwnTestReport> build_rights() {
    say("compiling it against right versions");
    for (const auto& built : bench_.build(copies_->of_rights(), {}, stop_)) {
      if (!built.machine.empty()) return unclear(built.machine);
      if (!built.ok) {
        return no(
            "it compiles with your header, and not with another right version: it may "
            "only use what the task's contract names",
            built.refused.empty() ? built.error : built.refused);
      }
    }
    return std::nullopt;
  }

  void prepare(std::size_t from, std::size_t to) {
    say(fmt::format("against earlier versions {} and {} of {}{}", copies_->place(from) + 1,
                    copies_->place(to - 1) + 1, versions_.suspects.size(),
                    circumstances(copies_->flavour(from))));
    const auto built = bench_.build(copies_->of_suspects(from, to), {}, stop_);
    for (const auto& one : built) buildable_.push_back(one.ok);
    remember_trouble(built);
  }

  Played play_suspect(std::size_t suspect) {
    if (!buildable_[suspect]) return {};
    const auto program = copies_->next_of_suspect(suspect);
    auto result = played(run_once(program));
    if (result.end == End::broke) copies_->broke(program);
    return result;
  }

  // False: the copies don't compile.
  bool compile_anew(std::size_t suspect) {
    say("on fresh copies of a version that it broke");
    const auto built = bench_.build(copies_->anew(suspect), {}, stop_);
    remember_trouble(built);
    return std::ranges::all_of(built, &BuildOutcome::ok);
  }

  // A version that the machine could not build is none that the test did not break.
  void remember_trouble(const std::vector<BuildOutcome>& built) {
    for (const auto& one : built) {
      if (!one.machine.empty()) trouble_ = one.machine;
    }
  }

  bool works_in_general(const Version& version) {
    if (version.passes_basic) return true;
    const Program suite{.task = own_.task,
                        .source = own_.task->dir / "suite.cpp",
                        .header = version.original,
                        .uses = references(),
                        .flavour = Flavour::plain,
                        .label = own_.task->folder + " earlier version"};
    return passes_basic(suite, bench_, stop_).value_or(false);
  }

  RunOutcome run_once(const Program& what) {
    RunOptions options;
    options.use_cache = false;
    options.stop_at_failure = true;
    options.test_seconds = test_seconds_;
    options.seed = std::random_device{}();
    auto outcome = bench_.run(what, options, stop_);
    run_seconds_ += outcome.seconds;
    ++runs_;
    return outcome;
  }

  static long counted(const RunOutcome& outcome) {
    long all = 0;
    for (const auto& test : outcome.tests) all += test.stress_rounds + test.property_cases;
    return all;
  }

  Played played(const RunOutcome& outcome) {
    if (!outcome.machine.empty()) return {End::unclear, outcome.machine};
    for (const auto& test : outcome.tests) {
      if (test.outcome == Outcome::passed || test.outcome == Outcome::not_run) continue;
      if (test.outcome == Outcome::inconclusive) return {End::unclear, "the machine was too busy"};
      if (test.outcome == Outcome::tampered) return {End::unclear, "its results are not honest"};
      const auto& message = test.headline.empty() && !test.failures.empty()
                                ? test.failures.front().message
                                : test.headline;
      last_failure_ = fmt::format("{}: {}", as_sentence(test.name), message);
      return {End::broke, how_it_broke(test), outcome.seconds};
    }
    if (!outcome.problem.empty()) return {End::unclear, outcome.problem};
    if (outcome.tests.empty()) return {End::unclear, "it has no tests"};
    return {End::passed, {}};
  }

  OwnTestReport told(const TrialResult& result) {
    using Verdict = TrialResult::Verdict;
    const bool survived =
        result.verdict == Verdict::breaks_nothing || result.verdict == Verdict::too_rarely;
    if (survived && !trouble_.empty()) return unclear(trouble_);
    switch (result.verdict) {
      case Verdict::tells_apart: {
        const auto& version = copies_->version(result.version);
        killed_ = version.hash;
        return {.verdict = OwnTest::qualified,
                .why = fmt::format("it broke {}", version.name),
                .detail = {},
                .version = version.name,
                .flaw = version.flaw,
                .how = result.how + circumstances(copies_->flavour(result.version)),
                .runs = result.suspect,
                .right_runs = result.right_runs,
                .seconds = seconds_in_all()};
      }
      case Verdict::breaks_right:
        return no(fmt::format("it fails on {} too, and that one is right: a test that fails at "
                              "random, or asks for more than the contract, proves nothing",
                              copies_->right(result.version).name),
                  last_failure_);
      case Verdict::breaks_nothing:
        return no(fmt::format("it passes on everything: {} wrong versions survived it",
                              versions_.suspects.size()));
      case Verdict::too_rarely:
        return no(fmt::format("it broke {} in only {} of {} runs: too rarely to tell from luck",
                              copies_->version(result.version).name, result.suspect.broken,
                              result.suspect.runs));
      case Verdict::unclear:
        break;
    }
    if (stop_.stop_requested()) return unclear("interrupted");
    if (!result.how.empty()) return unclear(result.how);
    if (runs_ > 0 && run_seconds_ / runs_ > kSlow * std::max(1.0, crowding())) {
      return no("one run of it takes too long: aim at well under a second");
    }
    return unclear(
        fmt::format("no verdict after {:.0f} seconds, {:.0f} of them in runs of it: a shorter test "
                    "gets more tries, and an idle machine is quicker",
                    seconds_in_all(), seconds_of_runs()));
  }

  void say(const std::string& what) const {
    if (own_.doing) own_.doing("your own test " + what);
  }

  const OwnTestCase& own_;
  Bench& bench_;
  std::stop_token stop_;
  Versions versions_;
  std::filesystem::path source_;
  std::optional<OwnTestCopies> copies_;  // once the text of the test is known
  std::vector<bool> buildable_;          // of the suspects prepared so far
  unsigned test_seconds_ = 0;            // 0: not measured yet
  std::string trouble_;                  // what kept the machine from building a version
  std::string last_failure_;
  std::string killed_;
  double run_seconds_ = 0;
  double run_seconds_before_ = 0;  // the versions were met
  int runs_ = 0;
  Clock::time_point started_;
};

}  // namespace

std::optional<bool> passes_basic(const Program& suite, Bench& bench, std::stop_token stop) {
  RunOptions options;
  options.filter = "Basic.*";
  for (auto& test : bench.expected_tests(*suite.task, suite.source, suite.flavour)) {
    if (suite_of(test) == "Basic") options.expected.push_back(std::move(test));
  }
  const auto outcome = bench.run(suite, options, std::move(stop));
  if (!outcome.machine.empty()) return std::nullopt;
  return outcome.problem.empty() && !outcome.tests.empty() &&
         std::ranges::all_of(
             outcome.tests, [](const TestResult& test) { return test.outcome == Outcome::passed; });
}

OwnTestReport judge_own_test(const OwnTestCase& own, Bench& bench, std::stop_token stop) {
  return Judge(own, bench, std::move(stop)).run();
}

}  // namespace grader
