// Wrong: each look again is a call of itself with something to clean up after it; bites when a
// waiter is woken or polls some ten thousand times: the stack ends.
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

class DistributedFuture {
 public:
  DistributedFuture(RedisEndpoint endpoint, Options options)
      : endpoint_(std::move(endpoint)), options_(options) {}
  DistributedFuture(const DistributedFuture&) = delete;
  DistributedFuture& operator=(const DistributedFuture&) = delete;

  Result<std::string> get(const Context& context, std::string_view key,
                          Fn<Result<std::string>(const Context&)> compute) {
    auto redis = Redis::connect(context, endpoint_);
    if (!redis) return std::unexpected(redis.error());
    Call call{context,
              "fut-lock:" + std::string(key),
              "fut-cache:" + std::string(key),
              "fut-pub:" + std::string(key),
              new_token(),
              *std::move(redis),
              std::nullopt,
              std::move(compute)};
    return look(call);
  }

 private:
  struct Call {
    const Context& context;
    std::string lock, cache, channel, token;
    Redis redis;
    std::optional<RedisSubscription> news;
    Fn<Result<std::string>(const Context&)> compute;
  };

  Result<std::string> look(Call& call) {
    auto claimed = claim_.run(call.context, call.redis, {call.lock, call.cache},
                              {call.token, std::to_string(options_.lock_ttl.count())});
    if (!claimed) {
      release(call);
      return std::unexpected(claimed.error());
    }
    if (claimed->kind == RedisReply::Kind::string) return std::move(claimed->text);
    if (!claimed->is_nil()) return lead(call);
    if (!call.news) {
      auto opened = RedisSubscription::open(call.context, endpoint_, call.channel);
      if (!opened) return std::unexpected(opened.error());
      call.news.emplace(*std::move(opened));
      return look(call);
    }
    const auto poll = with_timeout(call.context, options_.poll_interval);
    const auto message = call.news->next(poll.context());
    if (message) return look(call);
    if (call.context.done()) return std::unexpected(*call.context.error());
    if (message.error().code == Errc::unavailable) call.news.reset();
    return look(call);
  }

  Result<std::string> lead(Call& call) {
    call.news.reset();
    Result<std::string> value = std::unexpected(Error{});
    try {
      value = call.compute(call.context);
    } catch (...) {
      value = std::unexpected(error_from_current_exception());
    }
    if (value) {
      const auto end = parting();
      for (int attempt = 0; attempt < 2; ++attempt) {
        if (!call.redis.usable()) {
          auto another = Redis::connect(end.context(), endpoint_);
          if (!another) break;
          call.redis = *std::move(another);
        }
        auto stored = store_.run(
            end.context(), call.redis, {call.lock, call.cache},
            {call.token, *value, std::to_string(options_.value_ttl.count()), call.channel});
        if (stored && stored->kind == RedisReply::Kind::string) return std::move(stored->text);
        if (stored) return value;
        if (call.redis.usable()) break;
      }
    }
    release(call);
    return value;
  }

  static std::string new_token() {
    std::random_device random;
    std::string token;
    for (int i = 0; i < 4; ++i) token += std::to_string(random()) + ":";
    return token;
  }
  CancelSource parting() const {
    return with_timeout(Context::background(), std::min<std::chrono::milliseconds>(
                                                   options_.lock_ttl, std::chrono::seconds(2)));
  }
  void release(Call& call) {
    const auto end = parting();
    if (!call.redis.usable()) {
      auto another = Redis::connect(end.context(), endpoint_);
      if (!another) return;
      call.redis = *std::move(another);
    }
    release_.run(end.context(), call.redis, {call.lock}, {call.token, call.channel});
  }

  const RedisEndpoint endpoint_;
  const Options options_;
  RedisScript claim_{R"(
    local value = redis.call('GET', KEYS[2])
    if value then return value end
    return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]))"};
  RedisScript store_{R"(
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return redis.call('GET', KEYS[2]) end
    redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
    redis.call('DEL', KEYS[1])
    redis.call('PUBLISH', ARGV[4], 'stored')
    return 1)"};
  RedisScript release_{R"(
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    redis.call('DEL', KEYS[1])
    redis.call('PUBLISH', ARGV[2], 'failed')
    return 1)"};
};

}  // namespace futures
