#include "spawned.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "syscall_filter.hpp"

namespace grader {
namespace {

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Pipe make_pipe() {
  std::array<int, 2> fds;
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) return {};
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> raw;
  for (const auto& word : words) raw.push_back(const_cast<char*>(word.c_str()));
  raw.push_back(nullptr);
  return raw;
}

// Everything the child does between fork and exec: no allocation, no lock, plain system calls.
struct ChildPlan {
  char* const* argv;
  char* const* environment;
  const char* directory;
  int input;
  int output;
  int errors;
  int channel;
  int channel_number;
  int filter;
  int report;
  pid_t parent;
};

[[noreturn]] void give_up(const ChildPlan& plan) {
  const int error = errno;
  [[maybe_unused]] const auto told = ::write(plan.report, &error, sizeof error);
  ::_exit(127);
}

[[noreturn]] void become(const ChildPlan& plan) {
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != plan.parent) ::_exit(127);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int signal : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGXFSZ})
    ::signal(signal, SIG_DFL);
  if (plan.directory != nullptr && ::chdir(plan.directory) != 0) give_up(plan);
  if (::dup2(plan.input, 0) < 0 || ::dup2(plan.output, 1) < 0 || ::dup2(plan.errors, 2) < 0) {
    give_up(plan);
  }
  ::syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC);
  if (plan.channel >= 0 && ::dup2(plan.channel, plan.channel_number) < 0) give_up(plan);
  if (plan.channel >= 0 && ::fcntl(plan.channel_number, F_SETFD, 0) != 0) give_up(plan);
  if (plan.filter >= 0 && ::dup2(plan.filter, Command::filter_number) < 0) give_up(plan);
  ::execvpe(plan.argv[0], plan.argv, plan.environment);
  give_up(plan);
}

}  // namespace

Spawned spawn_child(const Command& command, const ChannelEnds* channel) {
  Spawned child;
  Pipe out = make_pipe();
  Pipe err = make_pipe();
  Pipe report = make_pipe();
  Pipe mark = command.marks ? make_pipe() : Pipe{};
  const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const bool marked = !command.marks || mark.read_end;
  if (!out.read_end || !err.read_end || !report.read_end || !nothing || !marked) {
    child.trouble = std::strerror(errno);
    return child;
  }
  const UniqueFd filter = command.filtered ? no_new_processes() : UniqueFd();
  const auto argv = pointers(command.argv);
  const auto environment = pointers(command.environment);
  const ChildPlan plan = {
      .argv = argv.data(),
      .environment = environment.data(),
      .directory = command.directory.empty() ? nullptr : command.directory.c_str(),
      .input = command.marks ? mark.write_end.get() : nothing.get(),
      .output = out.write_end.get(),
      .errors = err.write_end.get(),
      .channel = channel == nullptr ? -1 : channel->theirs.get(),
      .channel_number = channel == nullptr ? -1 : channel->number,
      .filter = filter.get(),
      .report = report.write_end.get(),
      .parent = ::getpid(),
  };
  const pid_t pid = ::fork();
  if (pid == 0) become(plan);
  if (pid < 0) {
    child.trouble = std::strerror(errno);
    return child;
  }
  child.pid = pid;
  child.pidfd = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  child.out = std::move(out.read_end);
  child.err = std::move(err.read_end);
  child.mark = std::move(mark.read_end);
  // Closed by a successful exec: then there is nothing to read.
  report.write_end = UniqueFd();
  int error = 0;
  if (::read(report.read_end.get(), &error, sizeof error) == sizeof error) {
    child.trouble = command.argv.front() + ": " + std::strerror(error);
  }
  return child;
}

}  // namespace grader
