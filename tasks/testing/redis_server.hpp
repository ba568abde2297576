// A private Redis for a test: on a unix socket in a folder of its own, gone with the test, also
// when the test crashes.
#pragma once

#include <string>
#include <vector>

#include "runtime/redis.hpp"
#include "testing/server_process.hpp"

namespace workbook {

// As any ServerProcess it belongs to the thread that started it.
class RedisServer {
 public:
  // Extra options as on redis-server's command line, e.g. {"--maxmemory", "1mb"}.
  explicit RedisServer(std::vector<std::string> options = {});

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

  std::vector<std::string> options_;
  ServerProcess process_;
  futures::RedisEndpoint endpoint_;
};

}  // namespace workbook
