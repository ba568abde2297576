#include "harness.hpp"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <sstream>
#include <thread>
#include <unistd.h>

#include "bench.hpp"
#include "digest.hpp"
#include "files.hpp"
#include "process.hpp"

namespace grader {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t source_limit = 4 << 20;
constexpr std::size_t kept_harnesses = 3;

bool is_source(const fs::path& file) {
  const auto extension = file.extension();
  return extension == ".hpp" || extension == ".cpp" || extension == ".h" || extension == ".S" ||
         file.filename() == "CMakeLists.txt";
}

using Snapshot = std::map<fs::path, std::string>;

void add_tree(const fs::path& from, const fs::path& to, Snapshot& snapshot) {
  std::error_code ec;
  for (auto entry = fs::recursive_directory_iterator(from, ec);
       entry != fs::recursive_directory_iterator(); entry.increment(ec)) {
    if (entry->is_directory() && entry->path().filename() == "tests") {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file() && is_source(entry->path())) {
      const auto bytes = read_regular_file(entry->path(), source_limit);
      if (bytes) snapshot[to / fs::relative(entry->path(), from)] = *bytes;
    }
  }
}

std::string last_lines(const std::string& text, std::size_t limit) {
  if (text.size() <= limit) return text;
  const auto start = text.find('\n', text.size() - limit);
  return text.substr(start == std::string::npos ? text.size() - limit : start + 1);
}

// What the tools of the trusted build need from our surroundings, and no more.
std::vector<std::string> tool_environment() {
  std::vector<std::string> environment = {"LANG=C.UTF-8"};
  for (const char* name : {"PATH", "HOME", "TMPDIR", "CCACHE_DIR"}) {
    if (const char* value = std::getenv(name))
      environment.push_back(fmt::format("{}={}", name, value));
  }
  return environment;
}

void run_tool(std::vector<std::string> argv, const std::stop_token& stop) {
  using namespace std::chrono_literals;
  const std::string tool = argv.front();
  const auto result =
      run_process({std::move(argv), tool_environment(), ""}, {.wall = 15min}, nullptr, stop);
  if (result.ending == Ending::interrupted) throw MachineError("interrupted");
  if (result.ending == Ending::not_started) {
    throw MachineError(fmt::format("cannot run {}: {}", tool, result.trouble));
  }
  if (result.exit_code != 0) {
    throw MachineError(fmt::format("the test kit does not build ({}):\n{}{}", tool,
                                   last_lines(result.out, 3000), last_lines(result.err, 3000)));
  }
}

std::string linker_for(const Toolchain& toolchain) {
  const auto exists = [](const std::string& name) {
    return fs::exists("/usr/bin/" + name) || fs::exists("/usr/local/bin/" + name);
  };
  if (exists("ld.mold") || exists("mold")) return "mold";
  if (toolchain.clang && exists(fmt::format("ld.lld-{}", toolchain.major))) return "lld";
  return "";
}

}  // namespace

Harness::Harness(const Sources& sources, const Toolchain& toolchain)
    : sources_(sources), toolchain_(toolchain) {
  add_tree(sources.kit_dir / "runtime", "tasks/runtime", snapshot_);
  add_tree(sources.kit_dir / "testing", "tasks/testing", snapshot_);
  if (snapshot_.empty()) {
    throw MachineError(
        fmt::format("{}: there is no runtime/ and no testing/", sources.kit_dir.string()));
  }
  has_explorer_ = fs::exists(sources.root / "grader/explorer/CMakeLists.txt");
  if (has_explorer_) add_tree(sources.root / "grader/explorer", "grader/explorer", snapshot_);
  add_tree(sources.root / "grader/harness", "grader/harness", snapshot_);
  if (!snapshot_.contains("grader/harness/CMakeLists.txt")) {
    throw MachineError(fmt::format("{}: there is no grader/harness", sources.root.string()));
  }
  Digest digest;
  digest.field(toolchain.identity).field(linker_for(toolchain));
  for (const auto& [path, bytes] : snapshot_) digest.field(path.string()).field(bytes);
  key_ = digest.hex().substr(0, 20);
  // Flags and precompiled headers tell where they are: of a checkout that has moved they are of no
  // use, and would make every submission one that does not compile.
  const auto all = fs::absolute(sources.build_dir) / "harness";
  folder_ = all / Digest().field(key_).field(all.string()).hex().substr(0, 20);
}

fs::path Harness::ready_mark(Flavour flavour) const {
  return folder_ / fmt::format("{}.ready", to_string(flavour));
}

void Harness::ensure(std::span<const Flavour> flavours, const std::stop_token& stop) const {
  std::vector<Flavour> wanted;
  const auto add_missing = [&] {
    wanted.clear();
    for (const Flavour flavour : flavours) {
      if (flavour == Flavour::explored && !has_explorer_) continue;
      if (!fs::exists(ready_mark(flavour))) wanted.push_back(flavour);
    }
  };
  add_missing();
  if (wanted.empty()) return;
  fs::create_directories(folder_);
  const FileLock lock(folder_ / "lock");
  add_missing();
  if (wanted.empty()) return;
  take_snapshot();
  build(wanted, stop);
  for (const Flavour flavour : wanted) write_whole_file(ready_mark(flavour), "");
  forget_old_ones();
}

void Harness::take_snapshot() const {
  for (const auto& [path, bytes] : snapshot_) {
    const fs::path target = folder_ / path;
    if (fs::exists(target)) continue;
    fs::create_directories(target.parent_path());
    write_whole_file(target, bytes);
  }
}

void Harness::build(std::span<const Flavour> flavours, const std::stop_token& stop) const {
  const fs::path build = folder_ / "build";
  if (!fs::exists(build / "build.ninja")) {
    const auto define = [](std::string_view name, const std::string& value) {
      return fmt::format("-D{}={}", name, value);
    };
    run_tool({"cmake", "-G", "Ninja", "-S", (folder_ / "grader/harness").string(), "-B",
              build.string(), define("CMAKE_CXX_COMPILER", toolchain_.compiler.string()),
              define("KIT", (folder_ / "tasks").string()),
              define("EXPLORER", has_explorer_ ? (folder_ / "grader/explorer").string() : ""),
              define("LINKER", linker_for(toolchain_))},
             stop);
  }
  std::vector<std::string> argv = {
      "ninja", "-C", build.string(), "-j",
      std::to_string(std::max(2U, std::thread::hardware_concurrency()))};
  for (const Flavour flavour : flavours) argv.emplace_back(to_string(flavour));
  run_tool(argv, stop);
}

FlavourFlags Harness::flags(Flavour flavour) const {
  const auto file = folder_ / "build" / fmt::format("{}.flags", to_string(flavour));
  const auto text = read_regular_file(file, source_limit);
  if (!text) throw MachineError(fmt::format("{} is missing; try `make clean`", file.string()));
  FlavourFlags flags;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const auto blank = line.find(' ');
    if (blank == std::string::npos) continue;
    const auto kind = line.substr(0, blank);
    auto& list = kind == "compile" ? flags.compile : kind == "link" ? flags.link : flags.libraries;
    list.push_back(line.substr(blank + 1));
  }
  return flags;
}

fs::path Harness::macros(Flavour flavour) const {
  return folder_ / "build" / to_string(flavour) / "macros.hpp";
}

fs::path Harness::prefix_symbols(Flavour flavour) const {
  return folder_ / "build" / to_string(flavour) / "prefix.symbols";
}

// A harness is some 200 MB; those of earlier kits are of no more use.
void Harness::forget_old_ones() const {
  std::vector<fs::directory_entry> folders;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(folder_.parent_path(), ec)) {
    if (entry.path() != folder_) folders.push_back(entry);
  }
  std::ranges::sort(folders, std::greater{},
                    [&](const auto& entry) { return entry.last_write_time(ec); });
  for (std::size_t i = kept_harnesses - 1; i < folders.size(); ++i) fs::remove_all(folders[i], ec);
}

}  // namespace grader
