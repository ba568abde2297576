// A private Redis for a test: on a unix socket in a folder of its own, gone with the test, also
// when the test crashes.
#pragma once

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <signal.h>
#include <stdexcept>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "runtime/redis.hpp"
#include "testing/eventually.hpp"

namespace workbook {

// Start it from the thread that runs the test and keep that thread alive: the server is told to die
// with the thread that started it, so that a crash of the test leaves nothing behind.
class RedisServer {
 public:
  // Extra options as on redis-server's command line, e.g. {"--maxmemory", "1mb"}.
  explicit RedisServer(std::vector<std::string> options = {}) : options_(std::move(options)) {
    std::string folder = (std::filesystem::temp_directory_path() / "redis-XXXXXX").string();
    if (mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = folder;
    endpoint_.path = folder_ / "s.sock";
    start();
  }

  ~RedisServer() {
    kill();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  const futures::RedisEndpoint& endpoint() const { return endpoint_; }

  // Returns when the server answers; throws when it can't be started.
  void start() {
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

  // As if its machine lost power. What it held is gone: nothing is written to disk.
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::kill(pid_, SIGCONT);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

  // A server that hangs: connected clients wait, new ones are not answered.
  void freeze() const { ::kill(pid_, SIGSTOP); }
  void thaw() const { ::kill(pid_, SIGCONT); }

 private:
  bool answers() const {
    const auto limit = futures::with_timeout(futures::Context::background(), patience);
    auto redis = futures::Redis::connect(limit.context(), endpoint_);
    return redis && redis->command(limit.context(), {"PING"});
  }

  bool gone() {
    if (waitpid(pid_, nullptr, WNOHANG) != pid_) return false;
    pid_ = 0;
    return true;
  }

  std::vector<std::string> options_;
  std::filesystem::path folder_;
  futures::RedisEndpoint endpoint_;
  pid_t pid_ = 0;
};

}  // namespace workbook
