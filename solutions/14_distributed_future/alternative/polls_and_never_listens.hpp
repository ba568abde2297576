// Right: nobody subscribes. A waiter looks every few milliseconds, whatever poll_interval says, and
// opens a connection for each question.
#pragma once

#include <algorithm>
#include <chrono>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/redis.hpp"

namespace futures {

struct Options {
  std::chrono::milliseconds lock_ttl{30'000};
  std::chrono::milliseconds value_ttl{300'000};
  std::chrono::milliseconds poll_interval{1'000};
};

class DistributedFuture {
 public:
  explicit DistributedFuture(RedisEndpoint endpoint, Options options = {})
      : endpoint_(std::move(endpoint)), options_(options) {}

  Result<std::string> get(const Context& context, std::string_view key,
                          Fn<Result<std::string>(const Context&)> compute) const {
    const auto lock = "fut-lock:" + std::string(key);
    const auto cache = "fut-cache:" + std::string(key);
    const auto token = uuid();
    while (true) {
      auto reply = ask(context, {"EVAL",
                                 "local v = redis.call('GET', KEYS[2]) "
                                 "if v then return {v} end "
                                 "return redis.call('SETNX', KEYS[1], ARGV[1]) == 1 and "
                                 "redis.call('PEXPIRE', KEYS[1], ARGV[2]) or 0",
                                 "2", lock, cache, token, milliseconds(options_.lock_ttl)});
      if (!reply) return std::unexpected(reply.error());
      if (reply->kind == RedisReply::Kind::array) return std::move(reply->items.at(0).text);
      if (reply->integer == 1) break;
      const auto nap =
          std::min<std::chrono::milliseconds>(options_.poll_interval, std::chrono::milliseconds(4));
      if (!context.sleep_for(nap)) return std::unexpected(*context.error());
    }

    Result<std::string> result;
    try {
      result = compute(context);
    } catch (...) {
      result = std::unexpected(error_from_current_exception());
    }
    const auto limit = with_timeout(Context::background(), std::chrono::milliseconds(1500));
    Result<RedisReply> stored = std::unexpected(Error{Errc::closed, "nothing to store"});
    if (result) {
      stored = ask(limit.context(), {"EVAL",
                                     "if redis.call('GET', KEYS[1]) == ARGV[1] then "
                                     "redis.call('PSETEX', KEYS[2], ARGV[3], ARGV[2]) "
                                     "redis.call('PUBLISH', KEYS[3], '') end return 1",
                                     "3", lock, cache, "fut-pub:" + std::string(key), token,
                                     *result, milliseconds(options_.value_ttl)});
    }
    (void)ask(limit.context(), {"EVAL",
                                "if redis.call('GET', KEYS[1]) == ARGV[1] then "
                                "return redis.call('DEL', KEYS[1]) end return 0",
                                "1", lock, token});
    if (result && !stored) return std::unexpected(stored.error());
    return result;
  }

 private:
  static std::string milliseconds(std::chrono::milliseconds time) {
    return std::to_string(std::max<long>(1, static_cast<long>(time.count())));
  }

  static std::string uuid() {
    std::random_device source;
    std::string text;
    for (int i = 0; i < 4; ++i) text += std::to_string(source()) + '-';
    return text;
  }

  Result<RedisReply> ask(const Context& context, const std::vector<std::string>& words) const {
    auto redis = Redis::connect(context, endpoint_);
    if (!redis) return std::unexpected(redis.error());
    const std::vector<std::string_view> views(words.begin(), words.end());
    return redis->command(context, views);
  }

  RedisEndpoint endpoint_;
  Options options_;
};

}  // namespace futures
