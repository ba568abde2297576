// Right: the message itself carries the value or the failure; a lost lease is won anew.
#pragma once

#include <chrono>
#include <fmt/format.h>
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

// Those who wait get the outcome of the computation they waited for, a failure too; only when its
// caller has gone away, or died, somebody else computes. Troubles with the connection are
// sat out: a few attempts, an interval apart.
class DistributedFuture {
 public:
  DistributedFuture(RedisEndpoint endpoint, Options options)
      : endpoint_(std::move(endpoint)), options_(options) {
    if (options_.poll_interval.count() < 1) options_.poll_interval = std::chrono::milliseconds(1);
  }
  DistributedFuture(const DistributedFuture&) = delete;
  DistributedFuture& operator=(const DistributedFuture&) = delete;

  Result<std::string> get(const Context& context, std::string_view key,
                          Fn<Result<std::string>(const Context&)> compute) {
    Call call{.context = context,
              .compute = std::move(compute),
              .lock = "fut-lock:" + std::string(key),
              .cache = "fut-cache:" + std::string(key),
              .channel = "fut-pub:" + std::string(key)};
    for (int attempts_left = 4;; --attempts_left) {
      auto outcome = attempt(call);
      const bool retry = !outcome && outcome.error().code == Errc::unavailable && !call.failed &&
                         attempts_left > 0 && !context.done();
      if (retry) {
        context.sleep_for(options_.poll_interval);
        continue;
      }
      // A value that was computed is not lost because it could not be shared.
      if (!outcome && call.computed) return *std::move(call.computed);
      return outcome;
    }
  }

 private:
  struct Call {
    const Context& context;
    Fn<Result<std::string>(const Context&)> compute;
    std::string lock, cache, channel;
    std::optional<std::string>
        computed;         // the value, from when it is computed to when it is stored
    bool failed = false;  // computing has; that is the outcome
  };

  static constexpr std::string_view value_tag = "distributed-future/value:";
  static constexpr std::string_view error_tag = "distributed-future/error:";
  static constexpr std::string_view retry_tag = "distributed-future/retry";

  // With connections of its own, until there is an outcome or something breaks.
  Result<std::string> attempt(Call& call) {
    const Context& context = call.context;
    auto news = RedisSubscription::open(context, endpoint_, call.channel);
    if (!news) return std::unexpected(std::move(news).error());
    auto redis = Redis::connect(context, endpoint_);
    if (!redis) return std::unexpected(std::move(redis).error());
    while (true) {
      const std::string token = random_token();
      auto seen = redis->command(context, {"EVAL", look_and_lock, "2", call.lock, call.cache, token,
                                           std::to_string(options_.lock_ttl.count())});
      if (!seen) {
        conclude(call, token, retry_tag, {});
        return std::unexpected(std::move(seen).error());
      }
      if (seen->kind == RedisReply::Kind::string) return std::move(seen->text);
      if (seen->integer == 1) {
        if (auto outcome = lead(call, token)) return *std::move(outcome);
        continue;  // the lock had expired: wait for the successor like everybody else
      }
      const auto nap = with_timeout(context, options_.poll_interval);
      const auto message = news->next(nap.context());
      if (message && message->starts_with(value_tag)) return message->substr(value_tag.size());
      if (message && message->starts_with(error_tag)) return decode_error(*message);
      if (context.done()) return std::unexpected(*context.error());
      if (!message && !nap.context().done()) return std::unexpected(message.error());
    }
  }

  // With the lock. nullopt: not ours any more.
  std::optional<Result<std::string>> lead(Call& call, const std::string& token) {
    if (!call.computed) {
      auto value = [&]() -> Result<std::string> {
        try {
          return call.compute(call.context);
        } catch (...) {
          return std::unexpected(error_from_current_exception());
        }
      }();
      if (!value) {
        call.failed = true;
        // "My caller has lost patience" is no news for other callers.
        const bool private_matter = call.context.done();
        conclude(call, token, private_matter ? std::string(retry_tag) : encode(value.error()), {});
        return value;
      }
      call.computed = *std::move(value);
    }
    const auto stored =
        conclude(call, token, std::string(value_tag) + *call.computed, *call.computed);
    if (!stored) {
      conclude(call, token, retry_tag, {});  // in vain mostly, but the server may only be full
      return std::unexpected(stored.error());
    }
    if (stored->integer == 1) return std::exchange(call.computed, std::nullopt).value();
    if (call.context.done()) return std::unexpected(*call.context.error());
    return std::nullopt;
  }

  // Ends the tenure: stores the value if there is one, unlocks, tells everybody. Does nothing,
  // and answers 0, when the lock is somebody else's. Not under the caller's context, but not for
  // much longer than that either; in lock_ttl the lock is gone anyhow.
  Result<RedisReply> conclude(const Call& call, std::string_view token, std::string_view message,
                              std::optional<std::string_view> value) {
    auto limit = with_timeout(Context::background(), options_.lock_ttl);
    const std::stop_callback hurry(call.context.stop_token(), [&limit] {
      limit.tighten(Clock::now() + std::chrono::milliseconds(300));
    });
    auto redis = Redis::connect(limit.context(), endpoint_);
    if (!redis) return std::unexpected(std::move(redis).error());
    return redis->command(
        limit.context(),
        {"EVAL", settle, "3", call.lock, call.cache, call.channel, token, message,
         value ? "1" : "0", value.value_or(""), std::to_string(options_.value_ttl.count())});
  }

  static std::string random_token() {
    std::random_device random;
    return fmt::format("{:x}-{:x}-{:x}-{:x}", random(), random(), random(), random());
  }

  // An error's code means the same in every process if it is one of ours.
  static std::string encode(const Error& error) {
    const bool ours = error.code.category() == std::error_code(Errc::exception).category();
    const int code = ours ? error.code.value() : static_cast<int>(Errc::service_error);
    return std::string(error_tag) + static_cast<char>(code) + error.message;
  }
  static Result<std::string> decode_error(std::string_view message) {
    message.remove_prefix(error_tag.size());
    if (message.empty()) return std::unexpected(Error{Errc::service_error, "computing failed"});
    return std::unexpected(
        Error{static_cast<Errc>(message.front()), std::string(message.substr(1))});
  }

  static constexpr std::string_view look_and_lock = R"(
    local value = redis.call('GET', KEYS[2])
    if value then return value end
    return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0)";
  static constexpr std::string_view settle = R"(
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    if ARGV[3] == '1' then redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[5]) end
    redis.call('DEL', KEYS[1])
    redis.call('PUBLISH', KEYS[3], ARGV[2])
    return 1)";

  const RedisEndpoint endpoint_;
  Options options_;
};

}  // namespace futures
