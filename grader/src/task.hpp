#pragma once

#include <filesystem>
#include <stdexcept>
#include <vector>

#include "model.hpp"

namespace grader {

// A task.toml that cannot be used. what() names the file, the line and what to do.
class TaskError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Every folder NN_name (or sN_name, as stretch/ has them) with a task.toml below `tasks_dir`, by
// number. A task's solution is the folder of its name below `solutions_dir`; when both are the same
// folder, it is the folder solution/ inside the task. Throws TaskError for a broken file, a number
// used twice, or `uses` of a task that is not there.
std::vector<Task> discover_tasks(const std::filesystem::path& tasks_dir,
                                 const std::filesystem::path& solutions_dir);

// One task.toml, without the solution. Throws TaskError.
Task read_task(const std::filesystem::path& task_dir);

// The task with this number, or nullptr.
const Task* find_task(const std::vector<Task>& tasks, int number);

}  // namespace grader
