// Where things are: the checkout, its tasks, and the submission being looked at.
#pragma once

#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "model.hpp"

namespace grader {

// Asked for something that is not there: a task, a folder. Ends the process with status 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Workbook {
  std::filesystem::path root;
  std::filesystem::path tasks_dir;
  std::filesystem::path solutions_dir;
  std::filesystem::path build_dir;
  std::vector<Task> tasks;
  bool stretch = false;  // the challenges below stretch/: each has its solution inside

  // The task with this number. Throws UsageError, naming those that exist.
  const Task& task(int number) const;
  std::filesystem::path reference(const Task& task) const;

  // A task's suite against some header, with the references of the tasks that it builds on.
  Program suite(const Task& task, const std::filesystem::path& header, Flavour flavour) const;
};

// Reads the workbook at `root`; empty: the nearest folder from here upwards that holds one.
// `build_dir` empty: root/build. Throws UsageError or TaskError.
Workbook open_workbook(const std::filesystem::path& root, const std::filesystem::path& build_dir);

// The stretch challenges beside a workbook's tasks, as a workbook of their own; without tasks when
// this checkout has none. Throws TaskError.
Workbook open_stretch(const Workbook& workbook);

// The challenge called so: "s1", "1" or "s1_backpressure". Throws UsageError.
const Task& challenge(const Workbook& stretch, std::string_view name);

// A folder shaped like tasks/, or like stretch/.
struct Submission {
  std::filesystem::path dir;  // absolute
  std::string name;           // as it was given, for messages
  bool is_tasks = false;      // the workbook's own tasks/
  bool is_solutions = false;  // the workbook's own solutions: its headers are the references
};

// `dir` empty: the workbook's tasks/ (or stretch/). For challenges, too, solutions/ means the
// references. Throws UsageError.
Submission open_submission(const Workbook& workbook, const std::filesystem::path& dir);

// A submission's headers of the tasks that this one builds on.
std::vector<std::filesystem::path> headers_used(const Workbook& workbook,
                                                const Submission& submission, const Task& task);

// A file of a submission. `text` is there when it is a regular file of at most 1 MiB that no
// symbolic link leads to; `exists` tells a missing file from one that is something else.
struct SubmittedFile {
  bool exists = false;
  std::optional<std::string> text;
  std::filesystem::path path;
};

SubmittedFile read_submitted(const Submission& submission, const Task& task,
                             std::string_view file_name);

// The .hpp files below `dir`, by name; none when there is no such folder.
std::vector<std::filesystem::path> headers_in(const std::filesystem::path& dir);

// A whole file of the workbook itself; empty when it can't be read.
std::string slurp(const std::filesystem::path& file);

}  // namespace grader
