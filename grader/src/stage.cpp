#include "stage.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <stdexcept>

#include "files.hpp"
#include "task.hpp"

namespace grader {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t file_limit = 1 << 20;
constexpr std::size_t sibling_limit = 64;  // files

// "suite_explored.hpp": what the workbook puts beside a header where learners write it.
bool is_part_of_a_suite(const fs::path& name) { return name.string().starts_with("suite_"); }

bool is_header_name(const fs::path& name) {
  constexpr std::array<std::string_view, 5> extensions = {".hpp", ".h", ".hxx", ".ipp", ".inc"};
  const auto text = name.string();
  return std::ranges::find(extensions, name.extension().string()) != extensions.end() &&
         std::ranges::all_of(text, [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-';
         });
}

std::string why_not(const fs::path& file) {
  std::error_code ec;
  const auto name = file.filename().string();
  const auto status = fs::symlink_status(file, ec);
  if (!fs::exists(status)) return fmt::format("{} is not in this submission", name);
  if (fs::is_symlink(status)) {
    return fmt::format("{} is a symbolic link; hand in the file itself", name);
  }
  if (!fs::is_regular_file(status)) return fmt::format("{} is not a regular file", name);
  const auto size = fs::file_size(file, ec);
  if (!ec && size > file_limit) {
    return fmt::format("{} has {} bytes; the limit is {}", name, size, file_limit);
  }
  return fmt::format("{} cannot be read", name);
}

// Collects into a stage and stops at the first file that has to be refused.
class Collector {
 public:
  explicit Collector(Stage& stage) : stage_(stage) {}

  void add(const fs::path& file, const fs::path& path, bool trusted) {
    if (!stage_.refused.empty()) return;
    std::error_code ec;
    if (fs::is_symlink(fs::symlink_status(file.parent_path(), ec))) {
      stage_.refused = fmt::format("the folder of {} is a symbolic link; hand in the folder itself",
                                   file.filename().string());
      return;
    }
    auto bytes = read_regular_file(file, file_limit);
    if (!bytes) {
      stage_.refused = why_not(file);
      return;
    }
    stage_.files.push_back({path, std::move(*bytes), trusted});
  }

  // The headers next to `file` that a submission may have split its work into.
  void add_siblings(const fs::path& file, const fs::path& folder) {
    std::vector<fs::path> siblings;
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator(file.parent_path(), ec)) {
      const auto name = entry.path().filename();
      if (name == file.filename() || !is_header_name(name) || is_part_of_a_suite(name)) continue;
      if (entry.symlink_status(ec).type() == fs::file_type::regular) {
        siblings.push_back(entry.path());
      }
    }
    std::ranges::sort(siblings);
    if (siblings.size() > sibling_limit) {
      stage_.refused = fmt::format("there are more than {} headers beside {}", sibling_limit,
                                   file.filename().string());
    }
    for (const auto& sibling : siblings) add(sibling, folder / sibling.filename(), false);
  }

 private:
  Stage& stage_;
};

void add_header(Collector& collector, const fs::path& header, const Task& task) {
  collector.add(header, fs::path(task.folder) / task.header, false);
  if (header.filename() == task.header) collector.add_siblings(header, task.folder);
}

void add_source(Collector& collector, const Program& program) {
  const fs::path folder = program.task->folder;
  const bool trusted = is_suite(program.source);
  collector.add(program.source, folder / program.source.filename(), trusted);
  if (!trusted) return;
  std::vector<fs::path> parts;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(program.source.parent_path(), ec)) {
    if (is_part_of_a_suite(entry.path().filename())) parts.push_back(entry.path());
  }
  std::ranges::sort(parts);
  for (const auto& part : parts) collector.add(part, folder / part.filename(), true);
}

}  // namespace

bool is_suite(const fs::path& source) {
  const auto name = source.filename();
  return name == "suite.cpp" || name == "predict.cpp" || name == "measure.cpp";
}

const StagedFile& Stage::source_file() const {
  return *std::ranges::find(files, source, &StagedFile::path);
}

Stage collect(const Program& program, const std::vector<Task>& tasks) {
  Stage stage;
  Collector collector(stage);
  const Task& task = *program.task;
  stage.source = fs::path(task.folder) / program.source.filename();
  stage.include_dirs.push_back(task.folder);
  add_source(collector, program);
  add_header(collector, program.header, task);
  for (std::size_t i = 0; i < task.uses.size(); ++i) {
    const Task* used = find_task(tasks, task.uses[i]);
    if (used == nullptr || i >= program.uses.size()) {
      throw std::invalid_argument(
          fmt::format("{}: no header given for task {}", program.label, task.uses[i]));
    }
    add_header(collector, program.uses[i], *used);
    stage.include_dirs.push_back(used->folder);
  }
  // The suite's own parts win over a submission's files of the same name.
  std::ranges::sort(stage.files, [](const auto& a, const auto& b) {
    return std::pair(a.path, !a.trusted) < std::pair(b.path, !b.trusted);
  });
  const auto doubled = std::ranges::unique(stage.files, {}, &StagedFile::path);
  stage.files.erase(doubled.begin(), doubled.end());
  return stage;
}

void write_files(const Stage& stage, const fs::path& folder) {
  for (const auto& file : stage.files) {
    const auto target = folder / file.path;
    fs::create_directories(target.parent_path());
    write_whole_file(target, file.bytes);
    // Whatever our umask is, the box's user reads them.
    fs::permissions(target.parent_path(), fs::perms(0755));
    fs::permissions(target, fs::perms(0644));
  }
}

void write_stage(const Stage& stage, const fs::path& folder, const fs::path& runtime,
                 const fs::path& testing) {
  write_files(stage, folder);
  fs::create_directory_symlink(runtime, folder / "runtime");
  fs::create_directory_symlink(testing, folder / "testing");
}

}  // namespace grader
