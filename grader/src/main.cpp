// The command line: what was asked for, and which exit status it ends with.
#include <CLI/CLI.hpp>
#include <array>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <thread>
#include <unistd.h>

#include "commands/commands.hpp"
#include "task.hpp"
#include "text.hpp"

namespace {

namespace fs = std::filesystem;

// Ctrl-C asks politely, once; whoever presses it twice means it. Children end with us in any case.
class Interrupts {
 public:
  Interrupts() {
    if (::pipe2(pipe_.data(), O_CLOEXEC | O_NONBLOCK) != 0) return;
    write_end_ = pipe_[1];
    struct sigaction action{};
    action.sa_handler = [](int) {
      if (asked_ != 0) ::_exit(grader::status_interrupted);
      asked_ = 1;
      const char byte = 0;
      [[maybe_unused]] const auto sent = ::write(write_end_, &byte, 1);
    };
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(signal, &action, nullptr);
    ::signal(SIGXFSZ, SIG_IGN);  // too large a file is seen by the write that fails
    ::signal(SIGPIPE, SIG_IGN);  // a reader that went away is seen by the write that fails
    watcher_ = std::jthread([this](const std::stop_token& end) { watch(end); });
  }

  std::stop_token token() const { return source_.get_token(); }

 private:
  void watch(const std::stop_token& end) {
    // Ended by the token: the pipe is written then as well.
    const std::stop_callback wake(end, [] {
      const char byte = 0;
      [[maybe_unused]] const auto sent = ::write(write_end_, &byte, 1);
    });
    pollfd readable{.fd = pipe_[0], .events = POLLIN, .revents = 0};
    while (::poll(&readable, 1, -1) < 0 && errno == EINTR) {
    }
    if (!end.stop_requested()) source_.request_stop();
  }

  static inline volatile sig_atomic_t asked_ = 0;
  static inline int write_end_ = -1;
  std::array<int, 2> pipe_ = {-1, -1};
  std::stop_source source_;
  std::jthread watcher_;
};

struct CommandLine {
  fs::path root;
  fs::path build_dir;
  fs::path submission;
  unsigned jobs = 0;
  bool require_sandbox = false;
  int task = 0;
  std::string challenge;
  bool fix = false;
  grader::GradeRequest grade;
  grader::AuditRequest audit;
  grader::ExploreRequest explore;
  grader::StretchRequest stretch;
};

void say_error(std::string_view what) {
  fmt::print(stderr, "grader: {}\n", grader::printable(what));
}

int run(const CLI::App& app, CommandLine& asked, std::stop_token stop) {
  grader::Screen screen;
  grader::Setting setting{.workbook = grader::open_workbook(asked.root, asked.build_dir),
                          .screen = screen,
                          .stop = std::move(stop),
                          .jobs = asked.jobs,
                          .require_sandbox = asked.require_sandbox};
  const auto is = [&](const char* name) { return app.got_subcommand(name); };
  asked.grade.submission = asked.submission;
  asked.explore.submission = asked.submission;
  asked.stretch.submission = asked.submission;
  if (!asked.challenge.empty()) {
    setting.workbook = grader::open_stretch(setting.workbook);
    asked.task = grader::challenge(setting.workbook, asked.challenge).number;
  }
  asked.explore.task = asked.task;
  if (is("grade")) return grader::run_grade(setting, asked.grade);
  if (is("hint")) return grader::run_hint(setting, asked.task, asked.submission);
  if (is("solution")) return grader::run_solution(setting, asked.task, asked.submission);
  if (is("predict")) return grader::run_predict(setting, asked.task, asked.submission);
  if (is("list")) return grader::run_list(setting, asked.submission);
  if (is("verify")) return grader::run_verify(setting, asked.fix);
  if (is("audit")) return grader::run_audit(setting, asked.audit);
  if (is("stretch")) return grader::run_stretch(setting, asked.stretch);
  return grader::run_explore(setting, asked.explore);
}

void add_grade(CLI::App& app, CommandLine& asked) {
  auto* grade = app.add_subcommand("grade", "Grade a submission");
  grade->add_option("--task", asked.grade.tasks, "Only this task (may be repeated)")
      ->check(CLI::PositiveNumber);
  grade->add_option("--submission", asked.submission, "A folder shaped like tasks/");
  grade->add_option("--json", asked.grade.json, "Where the results go; build/results.json");
  grade->add_option("--fail-below", asked.grade.fail_below, "Exit with 1 below this total");
  grade->add_flag("--no-ledger{false}", asked.grade.keep_ledger,
                  "Write nothing into the submission");
  grade->add_flag("--fresh", asked.grade.fresh, "Run everything again");
}

void add_reading(CLI::App& app, CommandLine& asked) {
  auto* hint = app.add_subcommand("hint", "Show the next hint and write it down");
  auto* solution = app.add_subcommand("solution", "Show the reference and write it down");
  auto* predict = app.add_subcommand("predict", "Play the scenes you predicted the outcome of");
  auto* list = app.add_subcommand("list", "The tasks, and how far you are");
  for (auto* command : {hint, solution, predict}) {
    command->add_option("--task", asked.task, "Which one")->required();
  }
  for (auto* command : {hint, solution, predict, list}) {
    command->add_option("--submission", asked.submission, "A folder shaped like tasks/");
  }
}

void add_maintenance(CLI::App& app, CommandLine& asked) {
  auto* verify = app.add_subcommand("verify", "Check that tasks/ and solutions/ fit together");
  verify->add_flag("--fix", asked.fix, "Renew what is copied or computed");
  auto* audit = app.add_subcommand("audit", "Run every suite on every known version");
  audit->add_option("--task", asked.audit.tasks, "Only this task (may be repeated)");
  audit->add_option("--challenge", asked.audit.challenges, "Only this challenge (may be repeated)");
  audit->add_option("--flavour", asked.audit.flavours, "Only this flavour (may be repeated)");
  audit->add_option("--earlier-runs", asked.audit.earlier_runs,
                    "Runs of each wrong version; 0: none of these");
  audit->add_option("--right-runs", asked.audit.right_runs,
                    "Runs of each right version; 0: none of these");
  audit->add_flag("--quick", asked.audit.quick, "One grading of each; what is known is not run");
  auto* parts = audit->add_option("--parts", asked.audit.parts,
                                  "Only one of so many parts of the wrong versions");
  audit->add_option("--part", asked.audit.part, "Which one, counted from 0; any number will do")
      ->needs(parts);
  parts->check(CLI::PositiveNumber);
  audit->add_flag("--scorecard", asked.audit.scorecard, "Sum up how often the verdict was wrong");
  audit->add_flag("--own-tests", asked.audit.own_tests,
                  "Only the references' own tests, on every right version");
  audit->add_flag("--loaded", asked.audit.loaded, "Keep every core busy in half of the runs");
  audit
      ->add_option("--versions", asked.audit.versions,
                   "Other versions: NN_name/{earlier,alternative}/*.hpp below this folder")
      ->check(CLI::ExistingDirectory);
  audit->add_option("--json", asked.audit.json, "Where the counts go");
}

void add_exploring(CLI::App& app, CommandLine& asked) {
  auto* explore = app.add_subcommand("explore", "Try schedules of a task's explored tests");
  auto* replay = app.add_subcommand("replay", "Show a failing schedule again");
  for (auto* command : {explore, replay}) {
    auto* which = command->add_option_group("which one");
    which->add_option("--task", asked.task, "A task");
    which->add_option("--challenge", asked.challenge, "A stretch challenge, e.g. s1");
    which->require_option(1);
    command->add_option("--submission", asked.submission, "A folder shaped like tasks/");
  }
  explore->add_option("--schedules", asked.explore.schedules, "How many schedules per test");
  explore->add_option("--seed", asked.explore.seed, "Where chance starts");
  explore->add_flag("--own-test", asked.explore.own_test, "my_test.cpp instead of the suite");
  replay->add_option("--token", asked.explore.token, "As a report printed it")->required();
}

void add_stretch(CLI::App& app, CommandLine& asked) {
  auto* stretch = app.add_subcommand("stretch", "The stretch challenges: met or not, and measured");
  stretch->add_option("--challenge", asked.stretch.challenges,
                      "Only this one, e.g. s1 (may be repeated)");
  stretch->add_option("--submission", asked.submission,
                      "A folder shaped like stretch/; or solutions, for the references");
  stretch->add_option("--seed", asked.stretch.seed, "Where chance starts in what is measured");
  stretch->add_option("--json", asked.stretch.json,
                      "Where the results go; build/stretch/results.json");
}

}  // namespace

int main(int argc, char** argv) {
  CommandLine asked;
  CLI::App app("Grades the futures workbook. `make` shows the everyday commands.", "grader");
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--root", asked.root, "The checkout; default: found from here upwards");
  app.add_option("--build-dir", asked.build_dir, "What is written goes here; default: build/");
  app.add_option("--jobs", asked.jobs, "Programs built or run at a time");
  app.add_flag("--require-sandbox", asked.require_sandbox, "Refuse to run code without a sandbox");
  add_grade(app, asked);
  add_reading(app, asked);
  add_maintenance(app, asked);
  add_exploring(app, asked);
  add_stretch(app, asked);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? grader::status_done : grader::status_usage;
  }

  Interrupts interrupts;
  int status = grader::status_done;
  try {
    status = run(app, asked, interrupts.token());
  } catch (const grader::UsageError& error) {
    say_error(error.what());
    return grader::status_usage;
  } catch (const std::exception& error) {
    // MachineError, TaskError, or something nobody foresaw: no verdict can be given here.
    if (!interrupts.token().stop_requested()) {
      say_error(error.what());
      return grader::status_machine;
    }
    status = grader::status_interrupted;
  }
  if (interrupts.token().stop_requested()) {
    fmt::print(stderr, "\n  Interrupted. Nothing is lost: what was found out is kept.\n");
    return grader::status_interrupted;
  }
  return status;
}
