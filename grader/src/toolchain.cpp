#include "toolchain.hpp"

#include <cstdlib>
#include <fmt/format.h>
#include <optional>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.hpp"

namespace grader {
namespace fs = std::filesystem;
namespace {

constexpr int oldest_clang = 19;  // the first that has std::expected with libstdc++
constexpr int oldest_gcc = 12;
constexpr int newest = 40;

std::optional<fs::path> in_path(const std::string& name) {
  const char* variable = std::getenv("PATH");
  std::string_view path = variable == nullptr ? "/usr/bin:/bin" : variable;
  while (!path.empty()) {
    const auto colon = path.find(':');
    fs::path candidate = fs::path(path.substr(0, colon)) / name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    path.remove_prefix(colon == std::string_view::npos ? path.size() : colon + 1);
  }
  return std::nullopt;
}

// The version at the end of the name that the links lead to: /usr/bin/g++ is
// x86_64-linux-gnu-g++-12, /usr/bin/clang++ is /usr/lib/llvm-19/bin/clang.
int major_of(const fs::path& compiler) {
  std::error_code ec;
  const auto real = fs::canonical(compiler, ec).string();
  for (std::string_view marker : {"llvm-", "clang-", "clang++-", "g++-", "gcc-"}) {
    const auto at = real.rfind(marker);
    if (at == std::string::npos) continue;
    const int major = std::atoi(real.c_str() + at + marker.size());
    if (major > 0) return major;
  }
  return 0;
}

// Debian packs the sanitizers apart from the compiler (libclang-rt-19-dev).
bool has_sanitizers(const fs::path& clang, int major) {
  std::error_code ec;
  const auto resources = fs::canonical(clang, ec).parent_path().parent_path() / "lib" / "clang" /
                         std::to_string(major) / "lib";
  for (const auto& entry : fs::recursive_directory_iterator(resources, ec)) {
    if (entry.path().filename().string().starts_with("libclang_rt.tsan")) return true;
  }
  return false;
}

Toolchain described(const fs::path& compiler, bool clang, int major) {
  return {compiler, clang, major, fmt::format("{} {}", clang ? "clang" : "g++", major), ""};
}

std::optional<Toolchain> newest_clang() {
  for (int major = newest; major >= oldest_clang; --major) {
    const auto compiler = in_path(fmt::format("clang++-{}", major));
    if (compiler && has_sanitizers(*compiler, major)) return described(*compiler, true, major);
  }
  const auto compiler = in_path("clang++");
  const int major = compiler ? major_of(*compiler) : 0;
  if (major < oldest_clang || !has_sanitizers(*compiler, major)) return std::nullopt;
  return described(*compiler, true, major);
}

std::optional<Toolchain> newest_gcc() {
  for (int major = newest; major >= oldest_gcc; --major) {
    const auto compiler = in_path(fmt::format("g++-{}", major));
    if (compiler) return described(*compiler, false, major);
  }
  const auto compiler = in_path("g++");
  const int major = compiler ? major_of(*compiler) : 0;
  if (major < oldest_gcc) return std::nullopt;
  return described(*compiler, false, major);
}

Toolchain chosen_by_user(const std::string& name) {
  const auto compiler = name.find('/') == std::string::npos ? in_path(name) : fs::path(name);
  if (!compiler || ::access(compiler->c_str(), X_OK) != 0) {
    throw MachineError(fmt::format("WORKBOOK_CXX={}: there is no such compiler", name));
  }
  return described(*compiler, name.find("clang") != std::string::npos, major_of(*compiler));
}

std::string stamp(const fs::path& file) {
  struct stat info{};
  std::error_code ec;
  if (::stat(file.c_str(), &info) != 0) return fmt::format("{} -;", file.string());
  return fmt::format("{} {} {};", fs::canonical(file, ec).string(), info.st_size,
                     info.st_mtim.tv_sec);
}

std::string identity_of(const Toolchain& toolchain) {
  std::string identity = stamp(toolchain.compiler) + stamp("/usr/include/gtest/gtest.h");
  for (const auto& entry : fs::directory_iterator("/usr/lib")) {
    const auto& multiarch = entry.path();
    if (!multiarch.filename().string().ends_with("-linux-gnu")) continue;
    for (const char* library : {"libgtest.a", "libstdc++.so.6", "libc.so.6", "librapidcheck.a"}) {
      identity += stamp(multiarch / library);
    }
  }
  return identity;
}

}  // namespace

Toolchain find_toolchain() {
  const char* chosen = std::getenv("WORKBOOK_CXX");
  std::optional<Toolchain> toolchain;
  if (chosen != nullptr && *chosen != '\0') toolchain = chosen_by_user(chosen);
  if (!toolchain) toolchain = newest_clang();
  if (!toolchain) toolchain = newest_gcc();
  if (!toolchain) {
    throw MachineError(fmt::format(
        "no C++23 compiler found: clang++ {} or newer with its sanitizers (packages clang-{} and "
        "libclang-rt-{}-dev), or g++ {} or newer",
        oldest_clang, oldest_clang, oldest_clang, oldest_gcc));
  }
  if (!fs::exists("/usr/include/gtest/gtest.h")) {
    throw MachineError("GoogleTest is missing (package libgtest-dev)");
  }
  toolchain->identity = identity_of(*toolchain);
  return *toolchain;
}

}  // namespace grader
