#include "hostile_corpus.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "files.hpp"
#include "text.hpp"

namespace grader::hostile {
namespace fs = std::filesystem;
namespace {

constexpr const char* task_folder = "01_first_future";
constexpr const char* task_header = "first_future.hpp";

std::vector<std::string> parts(std::string_view text) {
  std::vector<std::string> found;
  while (true) {
    const auto bar = text.find('|');
    found.emplace_back(trimmed(text.substr(0, bar)));
    if (bar == std::string_view::npos) return found;
    text.remove_prefix(bar + 1);
  }
}

Expectation expectation(const std::string& source, std::string_view name) {
  std::istringstream lines(source);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name)) continue;
    const auto colon = line.find(" : ");
    if (colon == std::string::npos) {
      return {parts(std::string_view(line).substr(name.size())), {""}};
    }
    return {parts(std::string_view(line).substr(name.size(), colon - name.size())),
            parts(std::string_view(line).substr(colon + 3))};
  }
  return {};
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

std::string verdict_of(Standing standing, Mark mark) {
  switch (standing) {
    case Standing::refused:
      return "refused";
    case Standing::not_built:
      return "not built";
    case Standing::tampered:
      return "tampered";
    case Standing::inconclusive:
      return "no verdict";
    case Standing::passed:
      return "passed";
    default:
      return mark == Mark::hang ? "hung" : mark == Mark::crash ? "crashed" : "failed";
  }
}

fs::path build_folder() {
  const char* chosen = std::getenv("BUILD");
  const fs::path repository = REPOSITORY_DIR;
  return fs::weakly_canonical(chosen == nullptr || *chosen == '\0' ? repository / "build"
                                                                   : fs::absolute(chosen));
}

}  // namespace

std::vector<Case> read_corpus(const fs::path& folder) {
  std::vector<Case> corpus;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto name = entry.path().stem().string();
    if (entry.path().extension() != ".hpp" || name.starts_with('_')) continue;
    Case one{.name = name, .source = slurp(entry.path()), .expect = {}, .behind = {}};
    one.expect = expectation(one.source, "// expect: ");
    one.behind = expectation(one.source, "// behind: ");
    if (one.expect.verdicts.empty()) {
      throw std::runtime_error(name + ".hpp does not say what is expected of it");
    }
    corpus.push_back(std::move(one));
  }
  std::ranges::sort(corpus, {}, &Case::name);
  return corpus;
}

std::map<std::string, std::string> snapshot(const fs::path& folder) {
  std::map<std::string, std::string> all;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    std::string what;
    if (entry.is_symlink()) {
      what = "-> " + fs::read_symlink(entry.path()).string();
    } else if (entry.is_regular_file()) {
      what = slurp(entry.path());
    }
    const auto mode = static_cast<int>(entry.symlink_status().permissions());
    all[entry.path().string()] = fmt::format("{:o} {}", mode, what);
  }
  return all;
}

Ground::Ground() {
  std::string name = (fs::temp_directory_path() / "hostile-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder for the tests");
  scratch_ = name;
  // So that nothing but the sandbox keeps boxed programs out.
  fs::permissions(scratch_, fs::perms::all);
  const fs::path repository = REPOSITORY_DIR;
  const fs::path root = scratch_ / "workbook";
  for (const char* part : {"tasks/runtime", "tasks/testing", "tasks/01_first_future",
                           "solutions/01_first_future", "grader/harness", "grader/explorer"}) {
    fs::create_directories(root / part);
    fs::copy(repository / part, root / part, fs::copy_options::recursive);
  }
  fs::create_directories(canary());
  std::ofstream(canary() / "canary.txt") << "sings\n";
  fs::permissions(canary(), fs::perms::all);
  fs::permissions(canary() / "canary.txt", fs::perms::all);
  workbook_ = open_workbook(root, build_folder());

  // The same task with another folder of solutions: everything below it is believed.
  task_ = workbook_.task(1);
  blind_task_ = task_;
  blind_task_.solution = scratch_ / "trusted";
  fs::copy(task_.solution, blind_task_.solution, fs::copy_options::recursive);

  BenchOptions options;
  options.root = workbook_.root;
  options.build_dir = workbook_.build_dir;
  options.tasks_dir = workbook_.tasks_dir;
  options.solutions_dir = workbook_.solutions_dir;
  options.require_sandbox = true;
  bench_ = std::make_unique<Bench>(options);
  before_ = snapshot(root);
  before_.merge(snapshot(canary()));
}

Ground::~Ground() {
  bench_.reset();
  std::error_code ignored;
  fs::remove_all(scratch_, ignored);
}

Graded Ground::grade(const Case& one, bool behind) {
  const fs::path folder = scratch_ / (behind ? "trusted" : "submissions") / one.name / task_folder;
  fs::create_directories(folder);
  const fs::path corpus = fs::path(REPOSITORY_DIR) / "grader/tests/hostile";
  for (const char* helper : {"_right.hpp", "_wrong.hpp"}) {
    fs::copy_file(corpus / helper, folder / helper);
  }
  std::string source = one.source;
  replace_all(source, "@CANARY@", canary().string());
  // Another text in every run: what was found out in an earlier one is of no interest.
  std::random_device chance;
  source += fmt::format("\n// {:08x}{:08x}\n", chance(), chance());
  write_whole_file(folder / task_header, source);
  return grade_header(behind ? blind_task_ : task_, folder / task_header);
}

Graded Ground::grade_header(const Task& task, const fs::path& header) {
  auto& bench = *bench_;
  const Program program{.task = &task,
                        .source = task.dir / "suite.cpp",
                        .header = header,
                        .uses = {},
                        .flavour = Flavour::plain,
                        .label = header.parent_path().parent_path().filename().string()};
  const auto start = std::chrono::steady_clock::now();
  FlavourResult plain;
  plain.built = true;
  plain.build = bench.build(std::span(&program, 1), {}, {}).front();
  if (plain.build.ok) {
    RunOptions options;
    options.use_cache = false;
    options.filter = "Basic.*";  // whoever fails one of these is not looked at any further
    options.expected = bench.expected_tests(task, program.source, Flavour::plain);
    plain.run = bench.run(program, options, {});
    plain.ran = true;
  }
  const std::vector<FlavourResult> results = {plain};
  Graded graded;
  Evidence evidence;
  evidence.standing = standing_of(results);
  graded.verdict = verdict_of(evidence.standing, mark_of(plain));
  graded.points = score(evidence).points;
  const auto findings = findings_of(results);
  if (!findings.empty()) {
    graded.reason = findings.front().headline + "\n" + findings.front().detail;
  } else {
    graded.reason = plain.build.machine + plain.run.machine;
    for (const auto& test : plain.run.tests) {
      if (test.outcome != Outcome::passed) graded.reason += "\n" + test.name + ": " + test.headline;
    }
  }
  graded.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return graded;
}

std::vector<std::string> Ground::changes() const {
  auto now = snapshot(workbook_.root);
  now.merge(snapshot(canary()));
  std::vector<std::string> changed;
  for (const auto& [file, what] : before_) {
    const auto found = now.find(file);
    if (found == now.end() || found->second != what) changed.push_back(file);
  }
  for (const auto& [file, what] : now) {
    if (!before_.contains(file)) changed.push_back(file);
  }
  return changed;
}

void become_reaper() { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }

std::vector<int> children_left() {
  // One that was killed with gigabytes to give back takes a moment to die.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (true) {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {  // the dead among them are no trouble
    }
    std::vector<int> left;
    for (const auto& task : fs::directory_iterator("/proc/self/task")) {
      std::istringstream children(slurp(task.path() / "children"));
      for (int pid = 0; children >> pid;) left.push_back(pid);
    }
    if (left.empty() || std::chrono::steady_clock::now() > end) return left;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

}  // namespace grader::hostile
