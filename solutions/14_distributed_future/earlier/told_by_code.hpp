// Tells a lost connection by its code: a context that ends with that one is not obeyed.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
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
  std::chrono::milliseconds lock_ttl{30'000};      // the lock ends by itself after this
  std::chrono::milliseconds value_ttl{300'000};    // how long a value is kept
  std::chrono::milliseconds poll_interval{1'000};  // how long lost news may go unnoticed
};

class DistributedFuture {
 public:
  DistributedFuture(RedisEndpoint endpoint, Options options)
      : endpoint_(std::move(endpoint)), options_(options) {}
  DistributedFuture(const DistributedFuture&) = delete;
  DistributedFuture& operator=(const DistributedFuture&) = delete;

  Result<std::string> get(const Context& context, std::string_view key,
                          Fn<Result<std::string>(const Context&)> compute) {
    auto work = std::exchange(compute, nullptr);  // its captures shall be gone when we return
    const Names names(key);
    const std::string token = random_token();
    std::optional<Redis> redis;
    std::optional<RedisSubscription> news;
    while (true) {
      if (!redis || !redis->usable()) {
        auto connected = Redis::connect(context, endpoint_);
        if (!connected) return std::unexpected(connected.error());
        redis.emplace(*std::move(connected));
      }
      const auto since = Clock::now();
      auto seen = look_or_lock_.run(context, *redis, {names.cache, names.lock},
                                    {token, milliseconds(options_.lock_ttl)});
      if (!seen) {
        // The server may have done it all the same, and we might be the holder without knowing.
        if (!redis->usable()) give_back(names, token);
        if (broken(seen.error())) continue;  // connect() ends the loop when nobody is there
        return std::unexpected(seen.error());
      }
      if (seen->kind == RedisReply::Kind::string) return std::move(seen->text);
      if (seen->integer == 1) {
        news.reset();
        return lead(context, names, token, *redis, since + options_.lock_ttl, std::move(work));
      }
      if (!news) {
        auto opened = RedisSubscription::open(context, endpoint_, names.news);
        if (opened) {
          news.emplace(*std::move(opened));
        } else if (!broken(opened.error())) {
          return std::unexpected(opened.error());
        }
        continue;  // look once more: what came before we listened is not told again
      }
      const auto patience = with_timeout(context, options_.poll_interval);
      auto message = news->next(patience.context());
      if (message) continue;
      if (broken(message.error())) {
        news.reset();  // messages may have been missed: subscribe anew, look again
      } else if (context.done()) {
        return std::unexpected(*context.error());
      }
    }
  }

 private:
  static constexpr std::chrono::milliseconds grace{300};  // for tidying up when the context is over

  struct Names {
    explicit Names(std::string_view key)
        : lock("fut-lock:" + std::string(key)),
          cache("fut-cache:" + std::string(key)),
          news("fut-pub:" + std::string(key)) {}
    std::string lock;
    std::string cache;
    std::string news;
  };

  // We have the lock.
  Result<std::string> lead(const Context& context, const Names& names, const std::string& token,
                           Redis& redis, Clock::time_point lock_end,
                           Fn<Result<std::string>(const Context&)> compute) {
    std::optional<Result<std::string>> outcome;
    try {
      outcome.emplace(compute(context));
    } catch (...) {
      outcome.emplace(std::unexpected(error_from_current_exception()));
    }
    compute = nullptr;
    if (!*outcome || !store(context, names, token, redis, lock_end, **outcome)) {
      give_back(names, token);
    }
    return *std::move(outcome);
  }

  // False: the lock may still be ours.
  bool store(const Context& context, const Names& names, const std::string& token, Redis& redis,
             Clock::time_point lock_end, const std::string& value) {
    const auto limit = std::max(lock_end, Clock::now() + grace);
    for (int attempt = 0; attempt < 3; ++attempt) {
      const auto within = context.done() ? with_timeout(Context::background(), grace)
                                         : with_deadline(context, limit);
      if (!redis.usable()) {
        auto connected = Redis::connect(within.context(), endpoint_);
        if (!connected) continue;
        redis = *std::move(connected);
      }
      const auto stored = store_.run(within.context(), redis, {names.lock, names.cache, names.news},
                                     {token, value, milliseconds(options_.value_ttl)});
      if (stored) return true;
      if (stored.error().code == Errc::service_error && redis.usable()) return false;
    }
    return false;
  }

  // Whatever has become of the context.
  void give_back(const Names& names, const std::string& token) {
    const auto within = with_timeout(Context::background(), grace);
    auto redis = Redis::connect(within.context(), endpoint_);
    if (!redis) return;  // the lock ends by itself
    (void)redis->command(within.context(),
                         {"EVAL",
                          "if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end "
                          "redis.call('del', KEYS[1]) "
                          "redis.call('publish', KEYS[2], 'given up') "
                          "return 1",
                          "2", names.lock, names.news, token});
  }

  // Our connection, and not our context or our question: worth another try.
  static bool broken(const Error& error) { return error.code == Errc::unavailable; }

  static std::string milliseconds(std::chrono::milliseconds time) {
    return std::to_string(std::max<std::int64_t>(1, time.count()));
  }

  static std::string random_token() {
    std::random_device entropy;
    std::string token;
    for (int i = 0; i < 4; ++i) token += std::to_string(entropy()) + '-';
    return token;
  }

  const RedisEndpoint endpoint_;
  const Options options_;
  // The value; 1: the lock is ours; 0: somebody else has it.
  RedisScript look_or_lock_{
      "local value = redis.call('get', KEYS[1]) "
      "if value then return value end "
      "if redis.call('exists', KEYS[2]) == 1 then return 0 end "
      "redis.call('set', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) "
      "return 1"};
  RedisScript store_{
      "if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end "
      "redis.call('set', KEYS[2], ARGV[2], 'PX', ARGV[3]) "
      "redis.call('del', KEYS[1]) "
      "redis.call('publish', KEYS[3], 'done') "
      "return 1"};
};

}  // namespace futures
