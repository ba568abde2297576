// Right: compute runs on a thread of its own, and so does the subscriber, who only counts what it
// hears; the caller waits for either with a condition variable.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/redis.hpp"

namespace futures {

struct Options {
  std::chrono::milliseconds lock_ttl = std::chrono::seconds(30);
  std::chrono::milliseconds value_ttl = std::chrono::minutes(5);
  std::chrono::milliseconds poll_interval = std::chrono::seconds(1);
};

class DistributedFuture {
 public:
  DistributedFuture(RedisEndpoint endpoint, Options options)
      : endpoint_(std::move(endpoint)), options_(options) {}

  Result<std::string> get(const Context& context, std::string_view key,
                          Fn<Result<std::string>(const Context&)> compute) {
    Call call{std::string(key), token(), {}, {}, 0, {}};
    auto redis = Redis::connect(context, endpoint_);
    if (!redis) return std::unexpected(redis.error());
    auto first = RedisSubscription::open(context, endpoint_, call.channel());
    if (!first) return std::unexpected(first.error());
    const auto listening = with_cancel(context);
    const std::jthread listener([&, news = std::optional(*std::move(first))]() mutable {
      listen(listening.context(), call, news);
    });
    auto result = race(context, *redis, call, compute);
    const_cast<CancelSource&>(listening).cancel();
    return result;
  }

 private:
  struct Call {
    std::string key;
    std::string token;
    std::mutex mutex;
    std::condition_variable_any changed;
    std::uint64_t heard;        // guarded by mutex
    std::optional<Error> deaf;  // guarded by mutex: why nothing more will be heard

    std::string lock() const { return "fut-lock:" + key; }
    std::string cache() const { return "fut-cache:" + key; }
    std::string channel() const { return "fut-pub:" + key; }
  };

  void listen(const Context& context, Call& call, std::optional<RedisSubscription>& news) {
    while (!context.done()) {
      const auto message = news->next(context);
      if (context.done()) return;
      if (!message) {
        auto again = RedisSubscription::open(context, endpoint_, call.channel());
        const std::lock_guard lock(call.mutex);
        if (!again) {
          call.deaf = again.error();
          call.changed.notify_all();
          return;
        }
        news.emplace(*std::move(again));
      }
      const std::lock_guard lock(call.mutex);
      ++call.heard;
      call.changed.notify_all();
    }
  }

  Result<std::string> race(const Context& context, Redis& redis, Call& call,
                           Fn<Result<std::string>(const Context&)>& compute) {
    while (true) {
      std::uint64_t before = 0;
      {
        const std::lock_guard lock(call.mutex);
        before = call.heard;
        if (call.deaf && !context.done()) return std::unexpected(*call.deaf);
      }
      auto claimed = claim_.run(context, redis, {call.cache(), call.lock()},
                                {call.token, std::to_string(options_.lock_ttl.count())});
      if (!claimed) return std::unexpected(claimed.error());
      if (claimed->items.size() == 1) return std::move(claimed->items[0].text);
      if (claimed->items.empty()) return lead(context, call, compute);
      std::unique_lock lock(call.mutex);
      call.changed.wait_for(lock, context.stop_token(), options_.poll_interval,
                            [&] { return call.heard != before || call.deaf; });
      if (context.done()) return std::unexpected(*context.error());
    }
  }

  Result<std::string> lead(const Context& context, Call& call,
                           Fn<Result<std::string>(const Context&)>& compute) {
    Result<std::string> result;
    std::thread([&] {
      try {
        result = compute(context);
      } catch (...) {
        result = std::unexpected(error_from_current_exception());
      }
    }).join();
    const auto limit = with_timeout(Context::background(), std::chrono::seconds(3));
    auto redis = Redis::connect(limit.context(), endpoint_);
    if (!redis) return result;
    if (result) {
      const auto stored =
          settle_.run(limit.context(), *redis, {call.lock(), call.cache(), call.channel()},
                      {call.token, "value", *result, std::to_string(options_.value_ttl.count())});
      if (stored) return result;
    }
    (void)settle_.run(limit.context(), *redis, {call.lock(), call.cache(), call.channel()},
                      {call.token, "none"});
    return result;
  }

  static std::string token() {
    std::random_device device;
    return std::to_string(device()) + std::to_string(device()) + std::to_string(device());
  }

  const RedisEndpoint endpoint_;
  const Options options_;
  // {value}, or {} when the lock is ours, or {0, time left} when it is another's.
  RedisScript claim_{
      "local v = redis.call('GET', KEYS[1]) if v then return {v} end "
      "if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return {} end "
      "return {0, redis.call('PTTL', KEYS[2])}"};
  RedisScript settle_{
      "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end "
      "if ARGV[2] == 'value' then redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4]) end "
      "redis.call('PUBLISH', KEYS[3], ARGV[2]) "
      "return redis.call('DEL', KEYS[1])"};
};

}  // namespace futures
