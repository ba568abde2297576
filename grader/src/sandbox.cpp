#include "sandbox.hpp"

#include <array>
#include <cstdlib>
#include <fmt/format.h>
#include <unistd.h>

#include "files.hpp"

namespace grader {
namespace fs = std::filesystem;
namespace {

using Words = std::vector<std::string>;

// Whoever root becomes before it starts the box: an account that owns nothing.
constexpr int nobody = 65534;

void append(Words& words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
}

// The folders of the system, links as links: on some systems /lib is one, on some it is not.
Words system_mounts() {
  Words words = {"--ro-bind", "/usr", "/usr"};
  for (const char* name : {"/bin", "/sbin", "/lib", "/lib32", "/lib64"}) {
    std::error_code none;
    if (fs::is_symlink(name, none)) {
      append(words, {"--symlink", fs::read_symlink(name).string(), name});
    } else if (fs::is_directory(name, none)) {
      append(words, {"--ro-bind", name, name});
    }
  }
  append(words, {"--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"});
  append(words, {"--ro-bind-try", "/etc/alternatives", "/etc/alternatives"});
  return words;
}

Words inner_limits(const Box& box) {
  return {"prlimit",
          fmt::format("--nproc={}", box.threads),
          fmt::format("--cpu={}:{}", box.cpu_seconds, box.cpu_seconds + 2),
          fmt::format("--fsize={}", box.file_bytes),
          fmt::format("--nofile={}", box.open_files),
          "--core=0"};
}

Words bubblewrap(const Box& box) {
  Words words = {"bwrap",      "--unshare-all", "--unshare-user", "--disable-userns",
                 "--uid",      "1000",          "--gid",          "1000",
                 "--cap-drop", "ALL",           "--new-session",  "--die-with-parent",
                 "--hostname", "box",           "--clearenv"};
  if (box.network) append(words, {"--share-net"});
  static const Words system = system_mounts();
  append(words, system);
  const auto tmp = std::to_string(box.tmp_bytes);
  append(words, {"--proc", "/proc", "--dev", "/dev", "--size", tmp, "--tmpfs", "/dev/shm", "--size",
                 tmp, "--tmpfs", "/tmp"});
  for (const auto& mount : box.mounts) {
    append(words,
           {mount.writable ? "--bind" : "--ro-bind", mount.from.string(), mount.to.string()});
  }
  append(words, {"--remount-ro", "/", "--remount-ro", "/dev", "--chdir", box.directory.string()});
  return words;
}

// Runs its arguments, and writes the mark before that: what happens from then on is the program's
// own doing. The program itself gets nothing that it could read or write there.
Words marker() {
  return {"/bin/sh", "-c", R"([ -x "$0" ] && echo >&0; exec "$0" "$@" </dev/null)"};
}

Words environment_of(const Box& box) {
  Words environment = {"PATH=/usr/bin:/bin", "HOME=/tmp", "TMPDIR=/tmp", "LANG=C.UTF-8"};
  append(environment, box.environment);
  return environment;
}

std::string own_path() {
  const char* path = std::getenv("PATH");
  return fmt::format("PATH={}", path == nullptr ? "/usr/bin:/bin" : path);
}

}  // namespace

std::string Sandbox::trouble(const ProcessResult& result) {
  if (result.ending != Ending::exited || result.set_up) return "";
  if (!result.err.empty()) return result.err.substr(0, result.err.find('\n'));
  return result.signal != 0 ? fmt::format("signal {} ended it", result.signal)
                            : fmt::format("it ended with status {}", result.exit_code);
}

Command Sandbox::command(const Box& box, const std::vector<std::string>& argv) const {
  Command command;
  const auto environment = environment_of(box);
  if (!active()) {
    // No counting of threads here: that limit would count the user's other processes too.
    command.argv = inner_limits(box);
    std::erase_if(command.argv, [](const auto& word) { return word.starts_with("--nproc"); });
    command.environment = environment;
    command.directory = box.directory.string();
  } else {
    if (mode_ == Mode::dropped) {
      command.argv = {"setpriv", fmt::format("--reuid={}", nobody),
                      fmt::format("--regid={}", nobody), "--clear-groups"};
    }
    append(command.argv, bubblewrap(box));
    command.boxed = true;
    if (!box.processes && filters_) {
      append(command.argv, {"--seccomp", std::to_string(Command::filter_number)});
      command.filtered = true;
    }
    for (const auto& variable : environment) {
      const auto equals = variable.find('=');
      append(command.argv, {"--setenv", variable.substr(0, equals), variable.substr(equals + 1)});
    }
    append(command.argv, inner_limits(box));
    command.environment = {own_path()};
  }
  append(command.argv, marker());
  append(command.argv, argv);
  command.marks = true;
  return command;
}

fs::path Sandbox::seen(const fs::path& outside, const fs::path& inside) const {
  return active() ? inside : outside;
}

Box Sandbox::box_around(const fs::path& folder) const {
  Box box;
  box.mounts = {{folder, "/box", false}};
  box.directory = seen(folder, "/box");
  return box;
}

void Sandbox::hand_over(const fs::path& folder) const {
  if (mode_ != Mode::dropped) return;
  if (::chown(folder.c_str(), nobody, nobody) != 0) {
    throw std::system_error(errno, std::generic_category(), "chown " + folder.string());
  }
}

bool Sandbox::works(const fs::path& build_dir, std::string& reason) const {
  const ScratchDir scratch(build_dir);
  hand_over(scratch.path());
  Box box;
  box.mounts = {{scratch.path(), "/box", true}};
  box.directory = "/box";
  box.processes = false;
  const auto result = run_process(command(box, {"touch", "/box/proof"}),
                                  {.wall = std::chrono::seconds(10)}, nullptr, {});
  if (result.exit_code == 0 && fs::exists(scratch.path() / "proof")) return true;
  reason = result.trouble.empty() ? result.err : result.trouble;
  return false;
}

Sandbox Sandbox::probe(const fs::path& build_dir) {
  const bool root = ::geteuid() == 0;
  const std::vector<Mode> candidates =
      root ? std::vector{Mode::dropped, Mode::root} : std::vector{Mode::user};
  std::string reason;
  for (const Mode mode : candidates) {
    Sandbox sandbox(mode);
    if (sandbox.works(build_dir, reason)) return sandbox;
    sandbox.filters_ = false;
    if (sandbox.works(build_dir, reason)) return sandbox;
  }
  Sandbox none(Mode::none);
  none.reason_ = reason.substr(0, reason.find('\n'));
  return none;
}

}  // namespace grader
