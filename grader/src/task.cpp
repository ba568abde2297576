#include "task.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <toml++/toml.h>

namespace grader {
namespace fs = std::filesystem;
namespace {

// Reads the keys of one task.toml and remembers where to point when one is wrong.
class Reader {
 public:
  Reader(const toml::table& table, fs::path file) : table_(table), file_(std::move(file)) {}

  template <class T>
  T required(std::string_view key, std::string_view example) const {
    const auto* node = table_.get(key);
    if (node == nullptr) fail(1, fmt::format("no `{}`; add e.g. `{} = {}`", key, key, example));
    return value<T>(*node, key, example);
  }

  template <class T>
  T optional(const toml::table& table, std::string_view key, T otherwise,
             std::string_view example) const {
    const auto* node = table.get(key);
    return node == nullptr ? std::move(otherwise) : value<T>(*node, key, example);
  }

  template <class T>
  std::vector<T> list(const toml::table& table, std::string_view key,
                      std::string_view example) const {
    std::vector<T> values;
    const auto* node = table.get(key);
    if (node == nullptr) return values;
    if (!node->is_array()) {
      fail(line_of(*node), fmt::format("`{}` must be a list, e.g. `{} = {}`", key, key, example));
    }
    for (const auto& element : *node->as_array()) values.push_back(value<T>(element, key, example));
    return values;
  }

  [[noreturn]] void fail(long line, const std::string& what) const {
    throw TaskError(fmt::format("{}:{}: {}", file_.string(), line, what));
  }

  long line_of(const toml::node& node) const {
    return static_cast<long>(std::max<toml::source_index>(1, node.source().begin.line));
  }

 private:
  template <class T>
  T value(const toml::node& node, std::string_view key, std::string_view example) const {
    // A budget may be written 4 or 4.0; nothing else converts.
    if constexpr (std::is_same_v<T, double>) {
      if (const auto found = node.value<double>()) return *found;
    } else {
      if (const auto found = node.value_exact<T>()) return *found;
    }
    fail(line_of(node),
         fmt::format("`{}` has the wrong type; write e.g. `{} = {}`", key, key, example));
  }

  const toml::table& table_;
  fs::path file_;
};

bool is_task_folder(std::string_view name) {
  const auto digit = [&](std::size_t i) {
    return std::isdigit(static_cast<unsigned char>(name[i])) != 0;
  };
  return name.size() > 3 && (digit(0) || name[0] == 's') && digit(1) && name[2] == '_';
}

// Names that end up in command lines and include paths: nothing to quote, nowhere to climb to.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name.front() != '.' && name.front() != '-' &&
         std::ranges::all_of(name, [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-';
         });
}

}  // namespace

Task read_task(const fs::path& task_dir) {
  const fs::path file = task_dir / "task.toml";
  toml::table table;
  try {
    table = toml::parse_file(file.string());
  } catch (const toml::parse_error& error) {
    throw TaskError(fmt::format("{}:{}: {}", file.string(), error.source().begin.line,
                                std::string(error.description())));
  }
  const Reader reader(table, file);
  Task task;
  task.dir = fs::absolute(task_dir).lexically_normal();
  task.folder = task.dir.filename().string();
  task.number = static_cast<int>(reader.required<std::int64_t>("number", "4"));
  task.title = reader.required<std::string>("title", "\"A promise that settles once\"");
  task.level = reader.required<std::string>("level", "\"Beginner\"");
  task.header = reader.required<std::string>("header", "\"promise.hpp\"");
  for (const auto used : reader.list<std::int64_t>(table, "uses", "[5]")) {
    task.uses.push_back(static_cast<int>(used));
  }
  task.services = reader.list<std::string>(table, "services", "[\"redis\"]");
  task.allows = reader.list<std::string>(table, "allows", "[\"files\"]");
  task.lifecycle = reader.optional<bool>(table, "lifecycle", false, "true");
  task.starter_hash = reader.optional<std::string>(table, "starter", "", "\"\"");
  task.starter_test_hash = reader.optional<std::string>(table, "starter_test", "", "\"\"");
  if (const auto* explore = table["explore"].as_table()) {
    task.explore.seconds = reader.optional<double>(*explore, "seconds", 4, "4");
    task.explore.bound = static_cast<int>(reader.optional<std::int64_t>(*explore, "bound", 2, "2"));
  }
  if (const auto* own_test = table["own_test"].as_table()) {
    task.own_test_meets_first =
        reader.list<std::string>(*own_test, "meets_first", "[\"fires_twice\"]");
  }
  if (!is_plain_name(task.header) || !is_plain_name(task.folder)) {
    reader.fail(1,
                "the folder's and the header's name may only have letters, digits, '_', '.', "
                "'-'");
  }
  return task;
}

std::vector<Task> discover_tasks(const fs::path& tasks_dir, const fs::path& solutions_dir) {
  std::vector<Task> tasks;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(tasks_dir, ec)) {
    if (!is_task_folder(entry.path().filename().string())) continue;
    if (!fs::exists(entry.path() / "task.toml")) continue;
    auto& task = tasks.emplace_back(read_task(entry.path()));
    task.solution = solutions_dir == tasks_dir
                        ? task.dir / "solution"
                        : fs::absolute(solutions_dir).lexically_normal() / task.folder;
  }
  if (ec) throw TaskError(fmt::format("{}: {}", tasks_dir.string(), ec.message()));
  std::ranges::sort(tasks, {}, &Task::number);

  const auto twice = std::ranges::adjacent_find(tasks, {}, &Task::number);
  if (twice != tasks.end()) {
    throw TaskError(
        fmt::format("{}/task.toml: number {} is also used by {}; give one of them "
                    "another number",
                    std::next(twice)->dir.string(), twice->number, twice->folder));
  }
  for (const auto& task : tasks) {
    for (const int used : task.uses) {
      if (used == task.number || find_task(tasks, used) == nullptr) {
        throw TaskError(
            fmt::format("{}/task.toml: `uses` names task {}, and there is no such "
                        "other task",
                        task.dir.string(), used));
      }
    }
  }
  return tasks;
}

const Task* find_task(const std::vector<Task>& tasks, int number) {
  const auto found = std::ranges::find(tasks, number, &Task::number);
  return found == tasks.end() ? nullptr : &*found;
}

}  // namespace grader
