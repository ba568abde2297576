// Wrong: the winner that finds a value at its second look leaves with the lock; bites when a value
// is stored between its first look and its lock: when the value ends, nobody computes until
// lock_ttl is over.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
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

// GET, SET NX PX, GET: three plain commands, scripts only where a token is compared.
class DistributedFuture {
 public:
  DistributedFuture(RedisEndpoint endpoint, Options options)
      : endpoint_(std::move(endpoint)), options_(options) {}
  DistributedFuture(const DistributedFuture&) = delete;
  DistributedFuture& operator=(const DistributedFuture&) = delete;

  Result<std::string> get(const Context& context, std::string_view key,
                          Fn<Result<std::string>(const Context&)> compute) {
    const std::string lock = "fut-lock:" + std::string(key);
    const std::string cache = "fut-cache:" + std::string(key);
    const std::string channel = "fut-pub:" + std::string(key);
    const std::string token = new_token();
    auto redis = Redis::connect(context, endpoint_);
    if (!redis) return std::unexpected(redis.error());
    std::optional<RedisSubscription> news;
    while (true) {
      auto cached = redis->command(context, {"GET", cache});
      if (!cached) return std::unexpected(cached.error());
      if (!cached->is_nil()) return std::move(cached->text);

      const auto won = redis->command(
          context, {"SET", lock, token, "NX", "PX", std::to_string(options_.lock_ttl.count())});
      if (!won) {
        give_back(*redis, lock, channel, token);
        return std::unexpected(won.error());
      }
      if (!won->is_nil()) {
        // Somebody may have stored it since.
        cached = redis->command(context, {"GET", cache});
        if (cached && !cached->is_nil()) return std::move(cached->text);
        if (!cached) {
          give_back(*redis, lock, channel, token);
          return std::unexpected(cached.error());
        }
        news.reset();
        return produce(context, *redis, lock, cache, channel, token, compute);
      }

      if (!news) {
        auto opened = RedisSubscription::open(context, endpoint_, channel);
        if (!opened) return std::unexpected(opened.error());
        news.emplace(*std::move(opened));
        continue;
      }
      const auto poll = with_timeout(context, options_.poll_interval);
      const auto message = news->next(poll.context());
      if (!message && context.done()) return std::unexpected(*context.error());
      if (!message && message.error().code == Errc::unavailable) news.reset();
    }
  }

 private:
  static std::string new_token() {
    std::random_device random;
    return std::to_string(random()) + "." + std::to_string(random()) + "." +
           std::to_string(random());
  }

  CancelSource last_words() const {
    return with_timeout(Context::background(), std::min<std::chrono::milliseconds>(
                                                   options_.lock_ttl, std::chrono::seconds(2)));
  }

  Result<std::string> produce(const Context& context, Redis& redis, const std::string& lock,
                              const std::string& cache, const std::string& channel,
                              const std::string& token,
                              Fn<Result<std::string>(const Context&)>& compute) {
    auto value = [&]() -> Result<std::string> {
      try {
        return compute(context);
      } catch (...) {
        return std::unexpected(error_from_current_exception());
      }
    }();
    if (value) {
      const auto words = last_words();
      const auto ttl = std::to_string(options_.value_ttl.count());
      for (int attempt = 0; attempt < 2; ++attempt) {
        if (!redis.usable()) {
          auto another = Redis::connect(words.context(), endpoint_);
          if (!another) break;
          redis = *std::move(another);
        }
        auto stored =
            store_.run(words.context(), redis, {lock, cache}, {token, *value, ttl, channel});
        if (stored && stored->kind == RedisReply::Kind::string) return std::move(stored->text);
        if (stored) return value;
        if (redis.usable()) break;
      }
    }
    give_back(redis, lock, channel, token);
    return value;
  }

  void give_back(Redis& redis, const std::string& lock, const std::string& channel,
                 const std::string& token) {
    const auto words = last_words();
    if (!redis.usable()) {
      auto another = Redis::connect(words.context(), endpoint_);
      if (!another) return;
      redis = *std::move(another);
    }
    unlock_.run(words.context(), redis, {lock}, {token, channel});
  }

  const RedisEndpoint endpoint_;
  const Options options_;
  RedisScript store_{R"(
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return redis.call('GET', KEYS[2]) end
    redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
    redis.call('DEL', KEYS[1])
    redis.call('PUBLISH', ARGV[4], '')
    return 1)"};
  RedisScript unlock_{R"(
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    redis.call('PUBLISH', ARGV[2], '')
    return redis.call('DEL', KEYS[1]))"};
};

}  // namespace futures
