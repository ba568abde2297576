// audit, of solutions/*/my_test.cpp: a grading tries one on the reference and on two other right
// versions, drawn by lot. Here it meets all of them, so that no draw can fail it.
#include <algorithm>
#include <fmt/format.h>
#include <mutex>
#include <random>
#include <thread>

#include "bench.hpp"
#include "commands/commands.hpp"
#include "files.hpp"
#include "verdict.hpp"
#include "work_queue.hpp"

namespace grader {
namespace {

namespace fs = std::filesystem;

struct Pairing {
  const Task* task = nullptr;
  Program program;
  std::string version;
  int runs = 0;
  int failed = 0;
  int without_verdict = 0;
  std::string trouble;  // does not build, or what the first failure said
};

// So often in all is a run tried that the machine was too busy for.
constexpr int kTries = 3;

std::vector<Pairing> pairings_of(const Workbook& workbook, const AuditRequest& request) {
  std::vector<Pairing> pairings;
  for (const auto& task : workbook.tasks) {
    const auto& wanted = request.tasks;
    if (!wanted.empty() && std::ranges::find(wanted, task.number) == wanted.end()) continue;
    const auto source = task.solution / "my_test.cpp";
    if (!fs::exists(source)) continue;
    auto headers = headers_in(task.solution / "alternative");
    headers.insert(headers.begin(), task.solution / task.header);
    for (const auto& header : headers) {
      auto program = workbook.suite(task, header, Flavour::plain);
      program.source = source;
      program.label = task.folder + " my_test";
      pairings.push_back({.task = &task,
                          .program = std::move(program),
                          .version = fs::relative(header, task.solution).string(),
                          .runs = 0,
                          .failed = 0,
                          .without_verdict = 0,
                          .trouble = {}});
    }
  }
  return pairings;
}

void run_once(Pairing& pairing, Bench& bench, std::mutex& mutex, const Setting& setting) {
  if (setting.stop.stop_requested()) return;
  setting.screen.doing(
      fmt::format("{} · my_test.cpp on {}", pairing.task->folder, pairing.version));
  RunOptions options;
  options.use_cache = false;
  options.seed = std::random_device{}();
  FlavourResult result;
  auto mark = Mark::unclear;
  for (int i = 0; i < kTries && mark == Mark::unclear && !setting.stop.stop_requested(); ++i) {
    result = result_of(Flavour::plain, bench.run(pairing.program, options, setting.stop));
    mark = mark_of(result);
  }
  const std::lock_guard lock(mutex);
  if (mark == Mark::off || mark == Mark::unclear) {
    ++pairing.without_verdict;
    return;
  }
  ++pairing.runs;
  if (mark == Mark::ok) return;
  ++pairing.failed;
  if (pairing.trouble.empty()) pairing.trouble = first_finding(result);
}

}  // namespace

int audit_own_tests(const Setting& setting, const AuditRequest& request) {
  Bench bench(bench_options(setting));
  auto pairings = pairings_of(setting.workbook, request);
  std::vector<Program> programs;
  for (const auto& pairing : pairings) programs.push_back(pairing.program);
  setting.screen.doing(fmt::format("compiling {} programs", programs.size()));
  const auto built = bench.build(programs, {}, setting.stop);
  std::mutex mutex;  // guards what run_once() counts
  const auto cores = std::max(1U, std::thread::hardware_concurrency());
  WorkQueue queue(setting.jobs > 0 ? setting.jobs : cores);
  for (std::size_t i = 0; i < pairings.size(); ++i) {
    if (!built[i].ok) {
      pairings[i].trouble = built[i].machine + built[i].refused + built[i].error;
      continue;
    }
    for (int run = 0; run < (request.quick ? 2 : request.right_runs); ++run) {
      queue.post([&, i] { run_once(pairings[i], bench, mutex, setting); });
    }
  }
  queue.finish();
  setting.screen.doing({});
  if (setting.stop.stop_requested()) return status_interrupted;

  int runs = 0;
  int bad = 0;
  for (const auto& pairing : pairings) {
    runs += pairing.runs;
    if (pairing.runs > 0 && pairing.failed == 0) continue;
    ++bad;
    const auto what =
        pairing.runs == 0 && pairing.without_verdict > 0
            ? fmt::format("no verdict in {} runs: the machine is too busy", pairing.without_verdict)
            : fmt::format("{} of {} runs failed", pairing.failed, pairing.runs);
    setting.screen.say(fmt::format("  FAIL: my_test.cpp of task {} on {}: {}\n{}",
                                   pairing.task->number, pairing.version, what, pairing.trouble));
  }
  setting.screen.say(fmt::format(
      "  The references' own tests met {} right versions in {} runs: {} of them without success.",
      pairings.size(), runs, bad));
  return bad == 0 && runs > 0 ? status_done : status_below;
}

}  // namespace grader
