// Wrong: before it waits, a waiter throws away the messages that have piled up, because it has just
// looked; bites when the winner stores or fails between that look and the throwing away: this
// message was the one to wait for, and the waiter sleeps until the next poll.
#pragma once

#include <chrono>
#include <optional>
#include <random>
#include <stop_token>
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
  DistributedFuture(const DistributedFuture&) = delete;
  DistributedFuture& operator=(const DistributedFuture&) = delete;

  Result<std::string> get(const Context& context, std::string_view key,
                          Fn<Result<std::string>(const Context&)> compute) {
    const Call call{"fut-lock:" + std::string(key), "fut-cache:" + std::string(key),
                    "fut-pub:" + std::string(key), random_token()};
    std::optional<RedisSubscription> subscription;
    while (true) {
      {
        auto redis = Redis::connect(context, endpoint_);
        if (!redis) return failed(context, redis.error());
        auto claimed =
            redis->command(context, {"EVAL", kClaim, "2", call.lock, call.cache, call.token,
                                     std::to_string(options_.lock_ttl.count())});
        if (!claimed) {
          const auto error = failed(context, claimed.error());
          finish(context, call, error);  // it may have been carried out all the same
          return error;
        }
        if (claimed->kind == RedisReply::Kind::string) return std::move(claimed->text);
        if (claimed->integer == 1) break;
      }
      if (!subscription) {
        auto opened = RedisSubscription::open(context, endpoint_, call.news);
        if (!opened) return failed(context, opened.error());
        subscription.emplace(*std::move(opened));
        continue;  // look again: what was stored meanwhile was told to nobody here
      }
      // A busy key has many messages, and each would cost a look at what this one has just seen.
      const auto no_time = with_timeout(context, Clock::duration::zero());
      while (subscription->next(no_time.context())) {
      }
      const auto poll = with_timeout(context, options_.poll_interval);
      const auto news = subscription->next(poll.context());
      if (news) continue;
      if (context.done()) return std::unexpected(*context.error());
      if (!poll.context().done()) subscription.reset();  // it broke
    }

    subscription.reset();
    auto result = compute_now(compute, context);
    compute = nullptr;
    finish(context, call, result);
    return result;
  }

 private:
  static constexpr std::string_view kClaim =
      "local kept = redis.call('GET', KEYS[2]) "
      "if kept then return kept end "
      "if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end "
      "return 0";
  static constexpr std::string_view kStore =
      "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end "
      "redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3]) "
      "redis.call('DEL', KEYS[1]) "
      "redis.call('PUBLISH', KEYS[3], 'stored') "
      "return 1";
  static constexpr std::string_view kRelease =
      "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end "
      "redis.call('DEL', KEYS[1]) "
      "redis.call('PUBLISH', KEYS[2], 'free') "
      "return 1";

  struct Call {
    std::string lock, cache, news, token;
  };

  static std::string random_token() {
    std::random_device random;
    std::string token;
    for (int i = 0; i < 4; ++i) token += std::to_string(random()) + ".";
    return token;
  }

  static std::unexpected<Error> failed(const Context& context, const Error& error) {
    return std::unexpected(context.done() ? *context.error() : error);
  }

  static Result<std::string> compute_now(Fn<Result<std::string>(const Context&)>& compute,
                                         const Context& context) {
    try {
      return compute(context);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  // The caller's context may have ended: this has one of its own, with a limit.
  void finish(const Context& caller, const Call& call, const Result<std::string>& result) const {
    auto limit = with_timeout(Context::background(), std::chrono::seconds(5));
    const std::stop_callback hurry(
        caller.stop_token(), [&limit] { limit.tighten(Clock::now() + std::chrono::seconds(1)); });
    const auto& context = limit.context();
    for (int tries = 0; result && tries < 2; ++tries) {
      auto redis = Redis::connect(context, endpoint_);
      if (!redis) return;
      const auto stored = redis->command(
          context, {"EVAL", kStore, "3", call.lock, call.cache, call.news, call.token, *result,
                    std::to_string(options_.value_ttl.count())});
      if (stored) return;  // or not ours any more
      if (redis->usable()) break;
    }
    for (int tries = 0; tries < 2; ++tries) {
      auto redis = Redis::connect(context, endpoint_);
      if (!redis) return;
      if (redis->command(context, {"EVAL", kRelease, "2", call.lock, call.news, call.token}))
        return;
    }
  }

  const RedisEndpoint endpoint_;
  const Options options_;
};

}  // namespace futures
