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

  // The task with this number. Throws UsageError, naming those that exist.
  const Task& task(int number) const;
  std::filesystem::path reference(const Task& task) const;
};

// Reads the workbook at `root`; empty: the nearest folder from here upwards that holds one.
// `build_dir` empty: root/build. Throws UsageError or TaskError.
Workbook open_workbook(const std::filesystem::path& root, const std::filesystem::path& build_dir);

// A folder shaped like tasks/.
struct Submission {
  std::filesystem::path dir;  // absolute
  std::string name;           // as it was given, for messages
  bool is_tasks = false;      // the workbook's own tasks/
  bool is_solutions = false;  // the workbook's own solutions/: its headers are the reference
};

// `dir` empty: the workbook's tasks/. Throws UsageError.
Submission open_submission(const Workbook& workbook, const std::filesystem::path& dir);

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
