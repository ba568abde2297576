#include "workbook.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fstream>
#include <iterator>
#include <system_error>

#include "ledger_files.hpp"
#include "task.hpp"

namespace grader {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLargestFile = 1U << 20U;

bool is_workbook(const fs::path& dir) {
  std::error_code ignored;
  return fs::is_directory(dir / "tasks" / "runtime", ignored);
}

fs::path find_root() {
  for (auto dir = fs::current_path();; dir = dir.parent_path()) {
    if (is_workbook(dir)) return dir;
    if (dir == dir.parent_path()) break;
  }
  throw UsageError("there is no workbook here: run this inside the checkout, or say --root DIR");
}

bool same_folder(const fs::path& a, const fs::path& b) {
  std::error_code ignored;
  return fs::equivalent(a, b, ignored);
}

}  // namespace

const Task& Workbook::task(int number) const {
  if (const auto* found = find_task(tasks, number)) return *found;
  std::vector<int> numbers;
  for (const auto& task : tasks) numbers.push_back(task.number);
  throw UsageError(
      fmt::format("there is no task {}; the tasks here are {}", number, fmt::join(numbers, ", ")));
}

fs::path Workbook::reference(const Task& task) const { return task.solution / task.header; }

Program Workbook::suite(const Task& which, const fs::path& header, Flavour flavour) const {
  Program program{.task = &which,
                  .source = which.dir / "suite.cpp",
                  .header = header,
                  .uses = {},
                  .flavour = flavour,
                  .label = fmt::format("{} {}", which.folder, to_string(flavour))};
  for (const int used : which.uses) program.uses.push_back(reference(task(used)));
  return program;
}

std::vector<fs::path> headers_used(const Workbook& workbook, const Submission& submission,
                                   const Task& task) {
  std::vector<fs::path> headers;
  for (const int number : task.uses) {
    const auto& used = workbook.task(number);
    headers.push_back(submission.dir / used.folder / used.header);
  }
  return headers;
}

Workbook open_workbook(const fs::path& root, const fs::path& build_dir) {
  Workbook workbook;
  workbook.root = root.empty() ? find_root() : fs::absolute(root).lexically_normal();
  if (!is_workbook(workbook.root)) {
    throw UsageError(fmt::format("{} is not a workbook: it has no tasks/runtime", root.string()));
  }
  workbook.tasks_dir = workbook.root / "tasks";
  workbook.solutions_dir = workbook.root / "solutions";
  workbook.build_dir = build_dir.empty() ? workbook.root / "build" : fs::absolute(build_dir);
  workbook.tasks = discover_tasks(workbook.tasks_dir, workbook.solutions_dir);
  return workbook;
}

Workbook open_stretch(const Workbook& workbook) {
  Workbook stretch = workbook;
  stretch.stretch = true;
  stretch.tasks_dir = stretch.solutions_dir = workbook.root / "stretch";
  stretch.tasks.clear();
  std::error_code ignored;
  if (fs::is_directory(stretch.tasks_dir, ignored)) {
    stretch.tasks = discover_tasks(stretch.tasks_dir, stretch.solutions_dir);
  }
  return stretch;
}

const Task& challenge(const Workbook& stretch, std::string_view name) {
  std::vector<std::string> names;
  for (const auto& task : stretch.tasks) {
    names.push_back(fmt::format("s{}", task.number));
    if (name == names.back() || name == names.back().substr(1) || name == task.folder) return task;
  }
  throw UsageError(fmt::format("there is no challenge {}; the challenges here are {}", name,
                               names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
}

Submission open_submission(const Workbook& workbook, const fs::path& dir) {
  Submission submission;
  submission.dir = dir.empty() ? workbook.tasks_dir : fs::absolute(dir).lexically_normal();
  submission.name = dir.empty() ? "tasks" : dir.string();
  while (submission.name.size() > 1 && submission.name.ends_with('/')) submission.name.pop_back();
  std::error_code ignored;
  if (!fs::is_directory(submission.dir, ignored)) {
    throw UsageError(fmt::format("there is no folder {}", submission.name));
  }
  submission.is_tasks = same_folder(submission.dir, workbook.tasks_dir);
  submission.is_solutions =
      same_folder(submission.dir, workbook.stretch ? workbook.root / "solutions"  // no twins there
                                                   : workbook.solutions_dir);
  const bool has_any =
      submission.is_solutions || std::ranges::any_of(workbook.tasks, [&](const Task& task) {
        return fs::is_directory(submission.dir / task.folder, ignored);
      });
  if (!has_any) {
    throw UsageError(fmt::format("{} is not shaped like tasks/: it has no folder {}",
                                 submission.name,
                                 workbook.tasks.empty() ? "01_…" : workbook.tasks.front().folder));
  }
  return submission;
}

SubmittedFile read_submitted(const Submission& submission, const Task& task,
                             std::string_view file_name) {
  SubmittedFile file;
  const auto home = submission.is_solutions ? task.solution : submission.dir / task.folder;
  file.path = home / file_name;
  std::error_code ignored;
  file.exists = fs::exists(fs::symlink_status(file.path, ignored));
  const UniqueFd dir(::open(home.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir) return file;
  const auto folder = open_folder(dir.get(), home.filename().c_str(), false);
  std::string text;
  if (folder && read_file_at(folder.get(), std::string(file_name).c_str(), text, kLargestFile)) {
    file.text = std::move(text);
  }
  return file;
}

std::vector<fs::path> headers_in(const fs::path& dir) {
  std::vector<fs::path> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(dir, ignored)) {
    if (entry.path().extension() == ".hpp") found.push_back(entry.path());
  }
  std::ranges::sort(found);
  return found;
}

std::string slurp(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace grader
