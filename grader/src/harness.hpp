#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "model.hpp"
#include "toolchain.hpp"

namespace grader {

// How a submission is compiled and linked in one flavour, as grader/harness/CMakeLists.txt says.
struct FlavourFlags {
  std::vector<std::string> compile;
  std::vector<std::string> link;
  std::vector<std::string> libraries;
};

// The built form of tasks/runtime, tasks/testing, the precompiled headers and the explorer. Named
// by its contents and its place: an edited kit gets a new folder and an old grader keeps its own,
// and a checkout that has moved takes nothing from where it was.
class Harness {
 public:
  struct Sources {
    std::filesystem::path root;     // has grader/harness and grader/explorer
    std::filesystem::path kit_dir;  // has runtime/ and testing/
    std::filesystem::path build_dir;
  };

  // Only reads and names the sources. Throws MachineError when they are not there.
  Harness(const Sources& sources, const Toolchain& toolchain);

  const std::string& key() const { return key_; }
  // All that a compilation may read; the same path inside and outside of a sandbox.
  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path runtime() const { return folder_ / "tasks" / "runtime"; }
  std::filesystem::path testing() const { return folder_ / "tasks" / "testing"; }
  bool has_explorer() const { return has_explorer_; }
  const std::filesystem::path& compiler() const { return toolchain_.compiler; }
  bool uses_clang() const { return toolchain_.clang; }

  // Builds what these flavours need and is not there yet; other graders that want the same wait
  // for it. Throws MachineError with the build's last lines when it fails, and when stopped.
  void ensure(std::span<const Flavour> flavours, const std::stop_token& stop) const;

  // Only after ensure().
  FlavourFlags flags(Flavour flavour) const;
  // "#define NAME body" lines: what the precompiled header defines.
  std::filesystem::path macros(Flavour flavour) const;
  // From `nm -P`: the precompiled header's inline functions, which are compiled once for all
  // programs. Missing where the compiler leaves them to each program.
  std::filesystem::path prefix_symbols(Flavour flavour) const;

 private:
  void take_snapshot() const;
  void build(std::span<const Flavour> flavours, const std::stop_token& stop) const;
  std::filesystem::path ready_mark(Flavour flavour) const;
  void forget_old_ones() const;

  Sources sources_;
  Toolchain toolchain_;
  std::map<std::filesystem::path, std::string> snapshot_;  // relative path -> contents
  std::string key_;
  std::filesystem::path folder_;
  bool has_explorer_ = false;
};

}  // namespace grader
