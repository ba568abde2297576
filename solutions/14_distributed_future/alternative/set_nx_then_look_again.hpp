// Right: SET NX and a second look instead of one script, each script sent in full, and failures
// travel: what is published starts with V or E, and waiters return the winner's own error.
#pragma once

#include <chrono>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>

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
  DistributedFuture(RedisEndpoint endpoint, Options options)
      : endpoint_(std::move(endpoint)), options_(options) {}

  Result<std::string> get(const Context& context, std::string_view key,
                          Fn<Result<std::string>(const Context&)> compute) {
    const std::string lock = "fut-lock:" + std::string(key);
    const std::string cache = "fut-cache:" + std::string(key);
    const std::string channel = "fut-pub:" + std::string(key);
    auto redis = Redis::connect(context, endpoint_);
    if (!redis) return std::unexpected(redis.error());
    auto news = RedisSubscription::open(context, endpoint_, channel);
    if (!news) return std::unexpected(news.error());

    while (true) {
      auto value = redis->command(context, {"GET", cache});
      if (!value) return std::unexpected(value.error());
      if (!value->is_nil()) return std::move(value->text);

      const std::string token = random_token();
      const auto ttl = std::to_string(options_.lock_ttl.count());
      const auto won = redis->command(context, {"SET", lock, token, "NX", "PX", ttl});
      if (!won) return std::unexpected(won.error());
      if (!won->is_nil()) {
        // Somebody may have finished between our look and our lock.
        auto again = redis->command(context, {"GET", cache});
        if (again && again->is_nil()) {
          return lead(context, lock, cache, channel, token, std::move(compute));
        }
        unlock(lock, channel, token, "");
        if (!again) return std::unexpected(again.error());
        return std::move(again->text);
      }

      const auto brief = with_timeout(context, options_.poll_interval);
      auto message = news->next(brief.context());
      if (message && message->starts_with('V')) return message->substr(1);
      if (message && message->starts_with('E')) {
        return std::unexpected(Error{
            Errc::unavailable, "another process failed to compute it: " + message->substr(1)});
      }
      if (context.done()) return std::unexpected(*context.error());
      if (!message && message.error().code == Errc::unavailable) {
        news = RedisSubscription::open(context, endpoint_, channel);
        if (!news) return std::unexpected(news.error());
      }
    }
  }

 private:
  static std::string random_token() {
    std::random_device device;
    std::string token;
    for (int i = 0; i < 5; ++i) token += std::to_string(device()) + ".";
    return token;
  }

  Result<std::string> lead(const Context& context, const std::string& lock,
                           const std::string& cache, const std::string& channel,
                           const std::string& token,
                           Fn<Result<std::string>(const Context&)> compute) {
    Result<std::string> result;
    try {
      result = compute(context);
    } catch (...) {
      result = std::unexpected(error_from_current_exception());
    }
    if (!result) {
      unlock(lock, channel, token, "E" + result.error().message);
      return result;
    }
    const auto cleanup = with_timeout(Context::background(), std::chrono::seconds(1));
    auto redis = Redis::connect(cleanup.context(), endpoint_);
    if (!redis) return result;
    const auto ttl = std::to_string(options_.value_ttl.count());
    const auto stored = redis->command(
        cleanup.context(), {"EVAL",
                            "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end "
                            "redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3]) "
                            "redis.call('PUBLISH', KEYS[3], 'V' .. ARGV[2]) "
                            "return redis.call('DEL', KEYS[1])",
                            "3", lock, cache, channel, token, *result, ttl});
    if (!stored) unlock(lock, channel, token, "Ethe value could not be stored");
    return result;
  }

  // On a connection of its own and under a context of its own, whatever has happened to the
  // caller's.
  void unlock(const std::string& lock, const std::string& channel, const std::string& token,
              const std::string& message) {
    const auto cleanup = with_timeout(Context::background(), std::chrono::seconds(1));
    auto redis = Redis::connect(cleanup.context(), endpoint_);
    if (!redis) return;
    (void)redis->command(cleanup.context(),
                         {"EVAL",
                          "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end "
                          "redis.call('DEL', KEYS[1]) "
                          "redis.call('PUBLISH', KEYS[2], ARGV[2]) return 1",
                          "2", lock, channel, token, message});
  }

  RedisEndpoint endpoint_;
  Options options_;
};

}  // namespace futures
