// A private PostgreSQL for a test: a cluster on a unix socket in a folder of its own, gone with the
// test, also when the test crashes.
#pragma once

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "runtime/postgres.hpp"
#include "testing/eventually.hpp"
#include "testing/server_process.hpp"

namespace workbook {

// As any ServerProcess it belongs to the thread that started it.
class PostgresServer {
 public:
  // Extra settings as in postgresql.conf, e.g. {"max_connections=20"}.
  explicit PostgresServer(std::vector<std::string> settings = {})
      : settings_(std::move(settings)), process_("postgres", /*may_be_root=*/false) {
    process_.start({program("initdb"), "-D", data(), "-U", "workbook", "--auth=trust", "--no-sync",
                    "--no-locale", "-E", "UTF8", "--wal-segsize=1"});
    if (!eventually([&] { return process_.gone(); }, 2 * patience) || process_.exit_status() != 0) {
      throw std::runtime_error("initdb fails: is PostgreSQL installed?");
    }
    start();
  }
  ~PostgresServer() { process_.stop(SIGQUIT); }  // it has processes of its own to end
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  // For Postgres::connect; `more` as in "application_name=observer".
  std::string connection(const std::string& more = {}) const {
    return "host=" + process_.folder() +
           " user=workbook dbname=postgres sslmode=disable gssencmode=disable " + more;
  }

  // Returns when the server answers; throws std::runtime_error when it can't be started.
  void start() {
    std::vector<std::string> words = {program("postgres"), "-D", data(), "-k", process_.folder()};
    // Nothing of it has to survive the machine, only the server.
    for (const auto* setting :
         {"listen_addresses=", "fsync=off", "full_page_writes=off", "shared_buffers=16MB",
          "max_wal_senders=0", "wal_level=minimal", "max_wal_size=32MB", "min_wal_size=2MB",
          "max_connections=60", "autovacuum=off", "jit=off", "log_min_messages=panic",
          "log_min_error_statement=panic", "max_parallel_workers=0"}) {
      words.insert(words.end(), {"-c", setting});
    }
    for (const auto& setting : settings_) words.insert(words.end(), {"-c", setting});
    process_.start(std::move(words));
    if (!eventually([this] { return answers() || process_.gone(); }) || process_.gone()) {
      throw std::runtime_error("the PostgreSQL server does not start");
    }
  }

  // As if it crashed: every connection is cut, and what was committed is there after the next
  // start().
  void crash() { process_.stop(SIGQUIT); }

  pid_t pid() const { return process_.pid(); }

 private:
  std::string data() const { return process_.folder() + "/data"; }

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

  bool answers() const {
    const auto limit = futures::with_timeout(futures::Context::background(), patience);
    auto postgres = futures::Postgres::connect(limit.context(), connection());
    return postgres && postgres->query(limit.context(), "SELECT 1");
  }

  std::vector<std::string> settings_;
  ServerProcess process_;
};

}  // namespace workbook
