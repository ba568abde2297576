// Task 14: one computation for many processes, coordinated through Redis.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/redis.hpp"

namespace futures {

struct Options {
  std::chrono::milliseconds lock_ttl{30'000};      // the lock ends by itself after this
  std::chrono::milliseconds value_ttl{300'000};    // how long a value is kept
  std::chrono::milliseconds poll_interval{1'000};  // how long lost news may go unnoticed
};

// Values that many processes want and one of them computes. In Redis there are, for each key,
//   fut-lock:KEY   who computes: a random token, gone by itself after lock_ttl
//   fut-cache:KEY  the value, byte for byte, gone by itself after value_ttl
//   fut-pub:KEY    a channel for those who wait
//
// get() may be called from any number of threads at once. The object outlives the calls, and
// nothing of a call outlives its return.
class DistributedFuture {
 public:
  // Connects to nobody yet.
  DistributedFuture([[maybe_unused]] RedisEndpoint endpoint, [[maybe_unused]] Options options) {
    not_implemented();
  }
  DistributedFuture(const DistributedFuture&) = delete;
  DistributedFuture& operator=(const DistributedFuture&) = delete;

  // The value of the key: the one that is kept, or what another process is computing, or else what
  // `compute` returns, which is then kept for everybody. compute runs at most once.
  //
  // A compute that fails (an Error, or an exception: Errc::exception) is told to its own caller, is
  // not kept, and wakes those who waited for it: they get an error too, or try with their own.
  // Other errors: the context's, Errc::unavailable, Errc::service_error with the server's words.
  Result<std::string> get([[maybe_unused]] const Context& context,
                          [[maybe_unused]] std::string_view key,
                          [[maybe_unused]] Fn<Result<std::string>(const Context&)> compute) {
    not_implemented();
  }
};

}  // namespace futures
