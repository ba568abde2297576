// A private PostgreSQL for a test: a cluster on a unix socket in a folder of its own, gone with the
// test, also when the test crashes.
#pragma once

#include <algorithm>
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

#include "runtime/postgres.hpp"
#include "testing/eventually.hpp"

namespace workbook {

// Start it from the thread that runs the test and keep that thread alive: the server is told to die
// with the thread that started it, so that a crash of the test leaves nothing behind.
class PostgresServer {
 public:
  // Extra settings as in postgresql.conf, e.g. {"max_connections=20"}.
  explicit PostgresServer(std::vector<std::string> settings = {}) : settings_(std::move(settings)) {
    std::string folder = (std::filesystem::temp_directory_path() / "postgres-XXXXXX").string();
    if (mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = folder;
    // PostgreSQL refuses to run as root; root becomes nobody.
    if (geteuid() == 0 && chown(folder.c_str(), nobody, nobody) != 0) {
      throw std::runtime_error("cannot give a folder away");
    }
    const pid_t made = start({"initdb", "-D", data(), "-U", "workbook", "--auth=trust", "--no-sync",
                              "--no-locale", "-E", "UTF8", "--wal-segsize=1"});
    int status = 0;
    if (!eventually([&] { return waitpid(made, &status, WNOHANG) == made; }, 2 * patience) ||
        status != 0) {
      throw std::runtime_error("initdb fails: is PostgreSQL installed?");
    }
    start();
  }

  ~PostgresServer() {
    stop(SIGQUIT);
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  // For Postgres::connect; `more` as in "application_name=observer".
  std::string connection(const std::string& more = {}) const {
    return "host=" + folder_.string() +
           " user=workbook dbname=postgres sslmode=disable gssencmode=disable " + more;
  }

  // Returns when the server answers; throws when it can't be started.
  void start() {
    std::vector<std::string> words = {"postgres", "-D", data(), "-k", folder_.string()};
    // Nothing of it has to survive the machine, only the server.
    for (const auto* setting :
         {"listen_addresses=", "fsync=off", "full_page_writes=off", "shared_buffers=16MB",
          "max_wal_senders=0", "wal_level=minimal", "max_wal_size=32MB", "min_wal_size=2MB",
          "max_connections=60", "autovacuum=off", "jit=off", "log_min_messages=panic",
          "log_min_error_statement=panic", "max_parallel_workers=0"}) {
      words.insert(words.end(), {"-c", setting});
    }
    for (const auto& setting : settings_) words.insert(words.end(), {"-c", setting});
    pid_ = start(words);
    if (!eventually([this] { return answers() || gone(); }) || pid_ <= 0) {
      throw std::runtime_error("the PostgreSQL server does not start");
    }
  }

  // As if it crashed: every connection is cut, and what was committed is there after the next
  // start().
  void crash() { stop(SIGQUIT); }

  pid_t pid() const { return pid_; }

 private:
  static constexpr unsigned nobody = 65534;

  std::string data() const { return (folder_ / "data").string(); }

  // Debian keeps the server's programs out of the path.
  static std::string program(const std::string& name) {
    std::string newest;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", none)) {
      const auto file = entry.path() / "bin" / name;
      if (std::filesystem::exists(file, none)) newest = std::max(newest, file.string());
    }
    return newest.empty() ? name : newest;
  }

  static pid_t start(std::vector<std::string> words) {
    words[0] = program(words[0]);
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    std::fflush(nullptr);
    const pid_t parent = getpid();
    const bool root = geteuid() == 0;
    const pid_t pid = fork();
    if (pid < 0) throw std::runtime_error("cannot fork");
    if (pid > 0) return pid;
    if (root && (setgid(nobody) != 0 || setuid(nobody) != 0)) _exit(1);
    prctl(PR_SET_PDEATHSIG, SIGKILL);   // after the change of user, which would forget it
    if (getppid() != parent) _exit(1);  // the test died before we asked
    if (std::freopen("/dev/null", "r", stdin) == nullptr ||
        std::freopen("/dev/null", "w", stdout) == nullptr) {
      _exit(1);
    }
    execvp(argv[0], argv.data());
    _exit(127);
  }

  void stop(int signal) {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGCONT);
    ::kill(pid_, signal);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

  bool answers() const {
    const auto limit = futures::with_timeout(futures::Context::background(), patience);
    auto postgres = futures::Postgres::connect(limit.context(), connection());
    return postgres && postgres->query(limit.context(), "SELECT 1");
  }

  bool gone() {
    if (waitpid(pid_, nullptr, WNOHANG) != pid_) return false;
    pid_ = 0;
    return true;
  }

  std::vector<std::string> settings_;
  std::filesystem::path folder_;
  pid_t pid_ = 0;
};

}  // namespace workbook
