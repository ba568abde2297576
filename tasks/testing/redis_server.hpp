// A private Redis for a test: on a unix socket in a folder of its own, gone with the test, also
// when the test crashes.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

#include "runtime/redis.hpp"

namespace workbook {

// Start it from the thread that runs the test and keep that thread alive: the server is told to die
// with the thread that started it, so that a crash of the test leaves nothing behind.
class RedisServer {
 public:
  // Extra options as on redis-server's command line, e.g. {"--maxmemory", "1mb"}.
  explicit RedisServer(std::vector<std::string> options = {});
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  const futures::RedisEndpoint& endpoint() const { return endpoint_; }

  // Returns when the server answers; throws std::runtime_error when it can't be started.
  void start();

  // As if its machine lost power. What it held is gone: nothing is written to disk.
  void kill();

  // A server that hangs: connected clients wait, new ones are not answered.
  void freeze() const;
  void thaw() const;

 private:
  bool answers() const;
  bool gone();

  std::vector<std::string> options_;
  std::string folder_;
  futures::RedisEndpoint endpoint_;
  pid_t pid_ = 0;
};

}  // namespace workbook
