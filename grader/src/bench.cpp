#include "bench.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <fmt/format.h>
#include <mutex>
#include <thread>

#include "builder.hpp"
#include "digest.hpp"
#include "files.hpp"
#include "harness.hpp"
#include "kit_beside.hpp"
#include "policy.hpp"
#include "results_cache.hpp"
#include "runner.hpp"
#include "sandbox.hpp"
#include "task.hpp"
#include "tokens.hpp"
#include "toolchain.hpp"

namespace grader {
namespace fs = std::filesystem;
namespace {

BenchOptions completed(BenchOptions options) {
  if (options.tasks_dir.empty()) options.tasks_dir = options.root / "tasks";
  if (options.solutions_dir.empty()) options.solutions_dir = options.root / "solutions";
  if (options.kit_dir.empty()) options.kit_dir = options.root / "tasks";
  if (options.jobs == 0) options.jobs = std::max(1U, std::thread::hardware_concurrency());
  if (!options.notice) options.notice = [](const std::string&) {};
  std::error_code ec;
  fs::create_directories(options.build_dir / "programs", ec);
  fs::create_directories(options.build_dir / "results", ec);
  if (ec) {
    throw MachineError(
        fmt::format("cannot write to {}: {}", options.build_dir.string(), ec.message()));
  }
  options.build_dir = fs::canonical(options.build_dir);
  return options;
}

bool is_below(const fs::path& file, const fs::path& folder) {
  std::error_code ec;
  const auto inner = fs::weakly_canonical(file, ec);
  const auto outer = fs::weakly_canonical(folder, ec);
  return std::ranges::mismatch(outer, inner).in1 == outer.end();
}

// In the code, not in a comment.
bool uses(const Stage& stage, std::string_view word) {
  return std::ranges::any_of(stage.files, [&](const StagedFile& file) {
    if (file.trusted || !file.bytes.contains(word)) return false;
    Names names;
    add_names(file.bytes, names);
    return names.contains(word);
  });
}

// The tests, not the header: what a header starts by itself is not wanted.
bool starts_processes(const Task& task, const Stage& stage) {
  return !task.services.empty() || std::ranges::any_of(stage.files, [&](const StagedFile& file) {
    const bool tests = file.trusted || file.path == stage.source;
    return tests && (file.bytes.contains("process.hpp") || file.bytes.contains("_DEATH("));
  });
}

// The tests a source declares, for when there is no reference to build it with.
std::vector<std::string> declared_tests(std::string_view source) {
  std::vector<std::string> tests;
  const auto tokens = tokenize(source);
  for (std::size_t i = 0; i + 5 < tokens.size(); ++i) {
    const bool macro = tokens[i].text == "TEST" || tokens[i].text == "TEST_F";
    if (!macro || tokens[i + 1].text != "(" || tokens[i + 3].text != ",") continue;
    tests.push_back(tokens[i + 2].text + "." + tokens[i + 4].text);
  }
  return tests;
}

}  // namespace

struct Bench::State {
  explicit State(BenchOptions given)
      : options(completed(std::move(given))),
        tasks(discover_tasks(options.tasks_dir, options.solutions_dir)),
        toolchain(find_toolchain()),
        sandbox(Sandbox::probe(options.build_dir)),
        harness({options.root, options.kit_dir, options.build_dir}, toolchain),
        builder(harness, sandbox, options.build_dir / "programs"),
        results(options.build_dir / "results") {
    if (sandbox.active()) return;
    if (options.require_sandbox) {
      throw MachineError(
          fmt::format("no sandbox here: {}. Install bubblewrap and allow user "
                      "namespaces, or leave out --require-sandbox",
                      sandbox.reason()));
    }
    options.notice(
        fmt::format("Submitted code runs without a sandbox here ({}): grade only code "
                    "you trust.",
                    sandbox.reason()));
  }

  BuildOutcome build(const Program& program, const Prepared& prepared, std::stop_token stop) const {
    if (auto known = builder.known(prepared.key)) return *known;
    harness.ensure(std::array{program.flavour}, stop);
    const bool trusted = is_below(program.header, program.task->solution) &&
                         (is_below(program.source, program.task->solution) ||
                          is_below(program.source, options.tasks_dir));
    const auto honest = [&]() -> HonestBuild {
      auto reference = reference_program(*program.task, program.flavour);
      if (!reference) return {};
      // A suite, a measure or a prediction: each calls something else of the kit.
      if (is_suite(program.source)) reference->source = program.source;
      const auto other = builder.prepare(*reference, tasks);
      const auto built = build(*reference, other, stop);
      if (built.ok) return {builder.symbols(other.key), ""};
      return {std::nullopt, "the reference could not be built to compare with: " +
                                (built.machine.empty() ? built.error : built.machine)};
    };
    return builder.build(program, prepared, trusted, honest, stop);
  }

  // The task's own suite against the reference; nullopt when this checkout has none.
  std::optional<Program> reference_program(const Task& task, Flavour flavour) const {
    Program program;
    program.task = &task;
    program.source = options.tasks_dir / task.folder / "suite.cpp";
    program.header = task.solution / task.header;
    for (const int number : task.uses) {
      const Task* used = find_task(tasks, number);
      program.uses.push_back(used->solution / used->header);
    }
    program.flavour = flavour;
    program.label = fmt::format("{} reference {}", task.folder, to_string(flavour));
    if (!fs::exists(program.source) || !fs::exists(program.header)) return std::nullopt;
    return program;
  }

  // How long a test may take, going by the longest that the reference needed in the same flavour
  // and sandbox on this machine; 0 when nothing is known. Measured when somebody is too slow, once.
  unsigned calibrated_seconds(const Program& program, const RunOptions& run,
                              const std::stop_token& stop) const {
    constexpr double patience = 20;  // times the reference's own time
    constexpr double most = 300;
    auto reference = reference_program(*program.task, program.flavour);
    if (!reference || program.flavour == Flavour::explored || program.source != reference->source ||
        program.header == reference->header) {
      return 0;
    }
    const auto prepared = builder.prepare(*reference, tasks);
    RunOptions same;
    same.expected = run.expected;
    auto measured = results.find(prepared.key, same, program.task->explore);
    if (!measured) {
      if (!build(*reference, prepared, stop).ok) return 0;
      RunPlan plan{.folder = builder.folder(prepared.key),
                   .task = program.task,
                   .flavour = program.flavour,
                   .options = same,
                   .processes = starts_processes(*program.task, prepared.stage),
                   .test_seconds = static_cast<unsigned>(most)};
      measured = Runner(sandbox, plan, stop).run();
      if (!stop.stop_requested())
        results.keep(prepared.key, same, program.task->explore, *measured);
    }
    double longest = 0;
    for (const auto& test : measured->tests) longest = std::max(longest, test.ms / 1000);
    return static_cast<unsigned>(std::min(most, patience * longest));
  }

  BenchOptions options;
  std::vector<Task> tasks;
  Toolchain toolchain;
  Sandbox sandbox;
  Harness harness;
  Builder builder;
  ResultsCache results;
};

Bench::Bench(BenchOptions options) : state_(std::make_unique<State>(std::move(options))) {}

Bench::~Bench() {
  state_->builder.forget_old_ones();
  state_->results.forget_old_ones();
}

std::vector<BuildOutcome> Bench::build(
    std::span<const Program> programs,
    std::function<void(std::size_t, const BuildOutcome&)> on_ready, std::stop_token stop) {
  std::vector<BuildOutcome> outcomes(programs.size());
  std::vector<Prepared> prepared;
  std::vector<Flavour> flavours;
  for (const auto& program : programs) {
    prepared.push_back(state_->builder.prepare(program, state_->tasks));
    const bool seen = std::ranges::find(flavours, program.flavour) != flavours.end();
    if (!seen && !state_->builder.known(prepared.back().key)) flavours.push_back(program.flavour);
  }
  // The plain verdict is what everybody waits for; all others at once keep every processor busy.
  if (std::erase(flavours, Flavour::plain) > 0) {
    state_->harness.ensure(std::array{Flavour::plain}, stop);
  }
  KitBeside kit(state_->harness, std::move(flavours), stop);

  std::atomic<std::size_t> next = 0;
  std::mutex reporting;
  std::exception_ptr failure;
  std::atomic<bool> failed = false;
  const auto build_one = [&](const Program& program, const Prepared& its) {
    BuildOutcome outcome;
    if (program.flavour == Flavour::explored && !explorer_available()) {
      outcome.machine = "the schedule explorer is not part of this checkout";
      return outcome;
    }
    if (auto known = state_->builder.known(its.key)) return *known;
    std::stop_source enough;
    const auto end = [&enough] { enough.request_stop(); };
    const std::stop_callback on_stop(stop, end);
    const std::stop_callback on_unwanted(program.unwanted, end);
    kit.wait(program.flavour, enough.get_token());
    if (!enough.stop_requested()) outcome = state_->build(program, its, enough.get_token());
    const bool ended = outcome.ok || !outcome.error.empty() || !outcome.refused.empty();
    if (!ended && stop.stop_requested()) {
      outcome.machine = "interrupted";
    } else if (!ended && program.unwanted.stop_requested()) {
      outcome = {};
      outcome.abandoned = true;
    }
    return outcome;
  };
  const auto work = [&] {
    for (auto i = next++; i < programs.size() && !failed; i = next++) {
      BuildOutcome outcome;
      try {
        outcome = build_one(programs[i], prepared[i]);
      } catch (...) {
        const std::scoped_lock lock(reporting);
        failure = std::current_exception();
        failed = true;
        return;
      }
      const std::scoped_lock lock(reporting);
      outcomes[i] = outcome;
      if (on_ready) on_ready(i, outcomes[i]);
    }
  };
  {
    std::vector<std::jthread> workers;
    const auto count = std::min<std::size_t>(state_->options.jobs, programs.size());
    for (std::size_t i = 0; i < count; ++i) workers.emplace_back(work);
  }
  if (failure) std::rethrow_exception(failure);
  return outcomes;
}

RunOutcome Bench::run(const Program& program, const RunOptions& options, std::stop_token stop) {
  if (program.flavour == Flavour::explored && !explorer_available()) {
    RunOutcome outcome;
    outcome.explored_unavailable = true;
    outcome.notice = "the schedule explorer is not part of this checkout";
    return outcome;
  }
  const auto prepared = state_->builder.prepare(program, state_->tasks);
  // What happened on somebody's own server says nothing about the next time.
  const bool use_cache = options.use_cache && own_server(*program.task).empty();
  if (use_cache) {
    if (auto known = state_->results.find(prepared.key, options, program.task->explore)) {
      return *known;
    }
  }
  const auto built = state_->build(program, prepared, stop);
  if (!built.ok) {
    RunOutcome outcome;
    outcome.machine = built.machine;
    outcome.problem = built.refused.empty() ? built.error : built.refused;
    return outcome;
  }
  RunPlan plan{.folder = state_->builder.folder(prepared.key),
               .task = program.task,
               .flavour = program.flavour,
               .options = options,
               .uses_fences =
                   uses(prepared.stage, "atomic_thread_fence") && program.task->explore.seconds > 0,
               .processes = starts_processes(*program.task, prepared.stage)};
  auto outcome = Runner(state_->sandbox, plan, stop).run();
  if (outcome.too_slow && !stop.stop_requested()) {
    // Too slow by itself, or is this machine slow? The reference knows.
    const auto seconds = state_->calibrated_seconds(program, options, stop);
    if (seconds > Runner(state_->sandbox, plan, stop).test_seconds()) {
      plan.test_seconds = seconds;
      outcome = Runner(state_->sandbox, plan, stop).run();
    }
  }
  if (use_cache && !stop.stop_requested() && !options.stop_at_failure) {
    state_->results.keep(prepared.key, options, program.task->explore, outcome);
  }
  return outcome;
}

std::vector<std::string> Bench::expected_tests(const Task& task, const fs::path& source,
                                               Flavour flavour) {
  const auto only_explored = [&](std::vector<std::string> tests) {
    if (flavour != Flavour::explored) return tests;
    std::erase_if(tests, [](const auto& test) { return !test.starts_with("Explored."); });
    return tests;
  };
  const auto text = read_regular_file(source, 4 << 20).value_or("");
  // A suite that asks for its flavour may have other tests in each; the usual one is built once.
  const bool varies = text.contains("WORKBOOK_FLAVOUR") || text.contains("__SANITIZE") ||
                      text.contains("__has_feature");
  auto reference = state_->reference_program(task, varies ? flavour : Flavour::plain);
  if (!reference) return only_explored(declared_tests(text));
  reference->source = source;
  const auto prepared = state_->builder.prepare(*reference, state_->tasks);
  if (auto known = state_->results.find_list(prepared.key)) return only_explored(*known);
  const std::stop_token never;
  const auto built = state_->build(*reference, prepared, never);
  if (!built.ok) return only_explored(declared_tests(text));
  const auto tests =
      Runner::list_tests(state_->sandbox, state_->builder.folder(prepared.key), never);
  if (tests.empty()) return only_explored(declared_tests(text));
  state_->results.keep_list(prepared.key, tests);
  return only_explored(tests);
}

std::string Bench::key(const Program& program) const {
  return state_->builder.prepare(program, state_->tasks).key;
}

bool Bench::sandboxed() const { return state_->sandbox.active(); }
std::string Bench::toolchain() const { return state_->toolchain.description; }
bool Bench::explorer_available() const { return state_->harness.has_explorer(); }

}  // namespace grader
