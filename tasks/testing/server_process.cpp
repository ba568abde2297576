#include "testing/server_process.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace workbook {

namespace {

constexpr unsigned nobody = 65534;

[[noreturn]] void become(std::vector<char*>& argv, pid_t parent, bool step_down) {
  if (step_down && (setgid(nobody) != 0 || setuid(nobody) != 0)) _exit(1);
  prctl(PR_SET_PDEATHSIG, SIGKILL);   // after the change of user, which would forget it
  if (getppid() != parent) _exit(1);  // the test died before we asked
  if (std::freopen("/dev/null", "r", stdin) == nullptr ||
      std::freopen("/dev/null", "w", stdout) == nullptr) {
    _exit(1);
  }
  execvp(argv[0], argv.data());
  _exit(127);
}

}  // namespace

ServerProcess::ServerProcess(const std::string& name, bool may_be_root)
    : folder_((std::filesystem::temp_directory_path() / (name + "-XXXXXX")).string()),
      may_be_root_(may_be_root || geteuid() != 0) {
  if (mkdtemp(folder_.data()) == nullptr) throw std::runtime_error("no temporary folder");
  if (!may_be_root_ && chown(folder_.c_str(), nobody, nobody) != 0) {
    throw std::runtime_error("cannot give a folder away");
  }
}

ServerProcess::~ServerProcess() {
  stop(SIGKILL);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void ServerProcess::start(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::fflush(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) throw std::runtime_error("cannot fork");
  if (pid == 0) become(argv, parent, !may_be_root_);
  pid_ = pid;
}

void ServerProcess::stop(int signal) {
  if (pid_ <= 0) return;
  ::kill(pid_, signal);
  ::kill(pid_, SIGCONT);
  while (waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
}

void ServerProcess::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

bool ServerProcess::gone() {
  if (pid_ > 0 && waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = 0;
  return pid_ <= 0;
}

}  // namespace workbook
