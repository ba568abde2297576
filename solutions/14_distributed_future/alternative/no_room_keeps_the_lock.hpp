// Right: a lock whose value found no room on the server is left to end by itself.
#pragma once

#include <algorithm>
#include <chrono>
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

      const std::string token = new_token();
      const auto won =
          redis->command(context, {"SET", lock, token, "NX", "PX", text(options_.lock_ttl)});
      if (!won) return std::unexpected(won.error());
      if (!won->is_nil()) {
        // Somebody may have finished between our look and our lock.
        value = redis->command(context, {"GET", cache});
        if (value && value->is_nil())
          return lead(context, *redis, lock, cache, channel, token, compute);
        const auto limit = parting();
        release(limit.context(), *redis, lock, channel, token);
        if (!value) return std::unexpected(value.error());
        return std::move(value->text);
      }

      const auto brief = with_timeout(context, options_.poll_interval);
      const auto heard = news->next(brief.context());
      if (context.done()) return std::unexpected(*context.error());
      if (!heard && heard.error().code == Errc::unavailable) {
        news = RedisSubscription::open(context, endpoint_, channel);
        if (!news) return std::unexpected(news.error());
      }
    }
  }

 private:
  static std::string text(std::chrono::milliseconds time) { return std::to_string(time.count()); }

  static std::string new_token() {
    std::random_device device;
    return std::to_string(device()) + "-" + std::to_string(device()) + "-" +
           std::to_string(device());
  }

  // The caller's context may have ended: what has to be done at the end has one of its own.
  static CancelSource parting() {
    return with_timeout(Context::background(), std::chrono::seconds(2));
  }

  Result<std::string> lead(const Context& context, Redis& redis, const std::string& lock,
                           const std::string& cache, const std::string& channel,
                           const std::string& token,
                           Fn<Result<std::string>(const Context&)>& compute) {
    Result<std::string> result;
    try {
      result = compute(context);
    } catch (...) {
      result = std::unexpected(error_from_current_exception());
    }
    const auto limit = parting();
    if (result) {
      const auto stored = store(limit.context(), redis, lock, cache, channel, token, *result);
      if (!stored) return std::unexpected(stored.error());
      return result;
    }
    release(limit.context(), redis, lock, channel, token);
    return result;
  }

  Result<RedisReply> store(const Context& limit, Redis& redis, const std::string& lock,
                           const std::string& cache, const std::string& channel,
                           const std::string& token, const std::string& value) {
    if (!connected(limit, redis)) return std::unexpected(Error{Errc::unavailable, "no server"});
    return store_.run(limit, redis, {lock, cache, channel},
                      {token, value, text(options_.value_ttl)});
  }

  void release(const Context& limit, Redis& redis, const std::string& lock,
               const std::string& channel, const std::string& token) {
    if (!connected(limit, redis)) return;
    release_.run(limit, redis, {lock, channel}, {token});
  }

  // The connection may have broken while we computed.
  bool connected(const Context& limit, Redis& redis) {
    if (redis.usable() && redis.command(limit, {"PING"})) return true;
    auto another = Redis::connect(limit, endpoint_);
    if (another) redis = *std::move(another);
    return another.has_value();
  }

  const RedisEndpoint endpoint_;
  const Options options_;
  RedisScript store_{R"(
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
    redis.call('PUBLISH', KEYS[3], 'stored')
    return redis.call('DEL', KEYS[1])
  )"};
  RedisScript release_{R"(
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    redis.call('DEL', KEYS[1])
    return redis.call('PUBLISH', KEYS[2], 'failed')
  )"};
};

}  // namespace futures
