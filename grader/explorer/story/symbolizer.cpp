#include "story/symbolizer.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <elf.h>
#include <fcntl.h>
#include <spawn.h>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/symbols.hpp"

extern char** environ;
extern "C" const char __executable_start[];

namespace explorer {
namespace {

struct Tool {
  const char* path;
  std::vector<const char*> extra;
};

const std::vector<Tool>& tools() {
  static const std::vector<Tool> all = {
      {"/usr/bin/llvm-symbolizer-19", {"--output-style=GNU"}},
      {"/usr/bin/llvm-symbolizer", {"--output-style=GNU"}},
      {"/usr/bin/addr2line", {}},
  };
  return all;
}

std::string executable() {
  char path[4096];
  ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  return length > 0 ? std::string(path, static_cast<std::size_t>(length)) : std::string();
}

bool position_independent() {
  return reinterpret_cast<const Elf64_Ehdr*>(__executable_start)->e_type == ET_DYN;
}

// Runs the tool with `input` on its standard input; what it prints.
std::string run(const Tool& tool, const std::string& input) {
  char name[] = "/tmp/explorer-XXXXXX";
  int in = ::mkstemp(name);
  if (in < 0) return {};
  ::unlink(name);
  if (::write(in, input.data(), input.size()) != static_cast<ssize_t>(input.size()) ||
      ::lseek(in, 0, SEEK_SET) < 0) {
    ::close(in);
    return {};
  }
  int out[2];
  if (::pipe2(out, O_CLOEXEC) < 0) {
    ::close(in);
    return {};
  }
  std::string exe = executable();
  std::vector<const char*> arguments{tool.path, "-e", exe.c_str(), "-a", "-f", "-i", "-C"};
  arguments.insert(arguments.end(), tool.extra.begin(), tool.extra.end());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  int error = ::posix_spawn(&child, tool.path, &actions, nullptr,
                            const_cast<char**>(arguments.data()), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(in);
  ::close(out[1]);
  std::string text;
  char buffer[1 << 16];
  for (ssize_t got; !error && (got = ::read(out[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  ::close(out[0]);
  if (!error) ::waitpid(child, nullptr, 0);
  return text;
}

Frame read_frame(std::string function, const std::string& place) {
  Frame frame{.function = std::move(function), .file = place};
  if (place.starts_with("??")) {  // a library without debug information: the name says enough
    frame.file.clear();
    return frame;
  }
  std::string text = place.substr(0, place.find(" (discriminator"));
  std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return frame;
  frame.file = text.substr(0, colon);
  frame.line = std::atoi(text.c_str() + colon + 1);
  return frame;
}

}  // namespace

std::map<Address, Frames> symbolize(const std::vector<Address>& addresses) {
  Address bias = position_independent() ? address_of(__executable_start) : 0;
  std::string input;
  char line[32];
  for (Address address : addresses) {
    if (!in_program(address)) continue;
    std::snprintf(line, sizeof line, "0x%lx\n", address - bias);
    input += line;
  }
  std::map<Address, Frames> result;
  for (const Tool& tool : tools()) {
    if (input.empty() || ::access(tool.path, X_OK) != 0) continue;
    std::istringstream output(run(tool, input));
    Frames* frames = nullptr;
    for (std::string function, place; std::getline(output, function);) {
      if (function.starts_with("0x") && function.find(' ') == std::string::npos) {
        frames = &result[std::strtoull(function.c_str(), nullptr, 16) + bias];
        continue;
      }
      if (!std::getline(output, place)) break;
      if (frames) frames->push_back(read_frame(function, place));
    }
    if (!result.empty()) break;
  }
  return result;
}

}  // namespace explorer
