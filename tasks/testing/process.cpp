#include "testing/process.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <map>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace workbook {

namespace {

constexpr std::string_view role_flag = "--workbook_role=";
constexpr int tell_fd = 3;  // where a child finds its end of the pipe

std::map<std::string, Role, std::less<>>& roles() {
  static auto* all = new std::map<std::string, Role, std::less<>>;
  return *all;
}

[[noreturn]] void become(std::vector<char*>& argv, Child::Start start, int pipe, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);  // the test died before we asked
  // dup2 onto itself would leave the descriptor to be closed by exec.
  if (pipe == tell_fd ? fcntl(pipe, F_SETFD, 0) < 0 : dup2(pipe, tell_fd) < 0) _exit(126);
  if (start == Child::Start::fork) {
    _exit(play_role(static_cast<int>(argv.size()) - 1, argv.data()).value_or(125));
  }
  execv("/proc/self/exe", argv.data());
  _exit(127);
}

}  // namespace

RegisteredRole::RegisteredRole(const char* name, Role role) { roles().emplace(name, role); }

std::optional<int> play_role(int argc, char** argv) {
  if (argc < 2 || !std::string_view(argv[1]).starts_with(role_flag)) return std::nullopt;
  const auto role = roles().find(std::string_view(argv[1]).substr(role_flag.size()));
  if (role == roles().end()) return 125;
  return role->second(std::vector<std::string>(argv + 2, argv + argc));
}

void tell(std::string_view line) {
  std::string whole(line);
  whole += '\n';
  for (std::size_t done = 0; done < whole.size();) {
    const auto n = write(tell_fd, whole.data() + done, whole.size() - done);
    if (n < 0 && errno != EINTR) return;  // nobody listens any more
    if (n > 0) done += static_cast<std::size_t>(n);
  }
}

Child::Child(std::string_view role, const std::vector<std::string>& arguments, Start start) {
  std::vector<std::string> words{"child", std::string(role_flag) + std::string(role)};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) < 0) throw std::system_error(errno, std::system_category());
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) become(argv, start, ends[1], parent);
  const int problem = errno;
  close(ends[1]);
  pipe_ = ends[0];
  if (pid_ < 0) {
    close(pipe_);
    throw std::system_error(problem, std::system_category(), "this machine refuses a process");
  }
}

Child::~Child() {
  if (pid_ > 0 && !status_) {
    kill();
    wait();
  }
  if (pipe_ >= 0) close(pipe_);
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pipe_(std::exchange(other.pipe_, -1)),
      read_(std::move(other.read_)),
      status_(other.status_) {}

std::optional<std::string> Child::line() {
  while (true) {
    if (const auto end = read_.find('\n'); end != std::string::npos) {
      auto line = read_.substr(0, end);
      read_.erase(0, end + 1);
      return line;
    }
    std::array<char, 4096> buffer{};
    const auto n = read(pipe_, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return std::nullopt;
    read_.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

bool Child::ready() const {
  pollfd polled{pipe_, POLLIN, 0};
  return read_.find('\n') != std::string::npos || poll(&polled, 1, 0) > 0;
}

void Child::kill() {
  if (!status_) ::kill(pid_, SIGKILL);
}
void Child::freeze() {
  if (!status_) ::kill(pid_, SIGSTOP);
}
void Child::thaw() {
  if (!status_) ::kill(pid_, SIGCONT);
}

int Child::wait() {
  if (!status_) {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    status_ = status;
  }
  return *status_;
}

}  // namespace workbook
