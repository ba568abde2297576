// The kit is built for every task, also where there is no hiredis: then no task asks for a server.
#if __has_include(<hiredis/hiredis.h>)
#include "testing/redis_server.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string_view>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "testing/eventually.hpp"

namespace workbook {

RedisServer::RedisServer(std::vector<std::string> options) : options_(std::move(options)) {
  folder_ = (std::filesystem::temp_directory_path() / "redis-XXXXXX").string();
  if (mkdtemp(folder_.data()) == nullptr) throw std::runtime_error("no temporary folder");
  endpoint_.path = folder_ + "/s.sock";
  start();
}

RedisServer::~RedisServer() {
  kill();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void RedisServer::start() {
  std::vector<std::string> words = {
      "redis-server", "--port", "0",     "--unixsocket", endpoint_.path, "--save", "",
      "--appendonly", "no",     "--dir", folder_,        "--loglevel",   "warning"};
  words.insert(words.end(), options_.begin(), options_.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::fflush(nullptr);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("cannot fork");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);  // the test died before we asked
    if (std::freopen("/dev/null", "w", stdout) == nullptr) _exit(1);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  if (!eventually([this] { return answers() || gone(); }) || pid_ <= 0) {
    throw std::runtime_error("redis-server does not start: is it installed?");
  }
}

void RedisServer::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::kill(pid_, SIGCONT);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

void RedisServer::freeze() const { ::kill(pid_, SIGSTOP); }
void RedisServer::thaw() const { ::kill(pid_, SIGCONT); }

// Asked without hiredis: the kit is linked with every task, and only those that need it have that.
bool RedisServer::answers() const {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  endpoint_.path.copy(address.sun_path, sizeof address.sun_path - 1);
  constexpr std::string_view question = "PING\r\n";
  constexpr std::string_view answer = "+PONG";
  std::string reply(answer.size(), '\0');
  const bool pong = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                    send(fd, question.data(), question.size(), MSG_NOSIGNAL) > 0 &&
                    recv(fd, reply.data(), reply.size(), MSG_WAITALL) > 0 && reply == answer;
  close(fd);
  return pong;
}

bool RedisServer::gone() {
  if (waitpid(pid_, nullptr, WNOHANG) != pid_) return false;
  pid_ = 0;
  return true;
}

}  // namespace workbook
#endif
