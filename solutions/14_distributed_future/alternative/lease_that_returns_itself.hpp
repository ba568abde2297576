// Right: a pimpl, it listens before its first claim, and a lease object gives the lock back in its
// destructor on whatever way out.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
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

namespace detail {

class FlightTower {
 public:
  FlightTower(RedisEndpoint endpoint, Options options)
      : endpoint(std::move(endpoint)), options(options) {}

  const RedisEndpoint endpoint;
  const Options options;
  RedisScript claim{R"(
    local value = redis.call('GET', KEYS[2])
    if value then return {value} end
    if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
    return 0)"};
  RedisScript land{R"(
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then
      local value = redis.call('GET', KEYS[2])
      if value then return {value} end
      return 0
    end
    redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
    redis.call('DEL', KEYS[1])
    redis.call('PUBLISH', ARGV[4], '+')
    return 1)"};
  RedisScript abandon{R"(
    if redis.call('GET', KEYS[1]) == ARGV[1] then
      redis.call('DEL', KEYS[1])
      redis.call('PUBLISH', ARGV[2], '-')
    end
    return 0)"};
};

// A lock that is, or may be, held: until settled() it is given back when this goes.
class Lease {
 public:
  Lease(FlightTower& tower, Redis& redis, std::string_view key)
      : tower_(tower), redis_(redis), suffix_(key) {
    std::random_device random;
    for (int i = 0; i < 4; ++i) token_.append(std::to_string(random())).append("/");
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() {
    if (!maybe_held_) return;
    const auto& limit = last_minutes();
    if (reconnect(limit)) {
      tower_.abandon.run(limit, redis_, {lock()}, {token_, channel()});
    }
  }

  std::string lock() const { return "fut-lock:" + suffix_; }
  std::string cache() const { return "fut-cache:" + suffix_; }
  std::string channel() const { return "fut-pub:" + suffix_; }

  enum class Claim : bool { lost, won };

  // A value that is there already, or whether the lock is held now.
  Result<std::variant<std::string, Claim>> claim(const Context& context) {
    maybe_held_ = true;
    auto reply = tower_.claim.run(context, redis_, {lock(), cache()},
                                  {token_, std::to_string(tower_.options.lock_ttl.count())});
    if (!reply) return std::unexpected(reply.error());
    maybe_held_ = reply->integer == 1;
    if (reply->kind == RedisReply::Kind::array) return std::move(reply->items.at(0).text);
    return maybe_held_ ? Claim::won : Claim::lost;
  }

  // What stands in the end: this value or, when the lock was lost and another one was faster, its.
  std::string land(std::string value) {
    const auto& limit = last_minutes();
    for (int attempt = 0; attempt < 2; ++attempt) {
      if (!reconnect(limit)) break;
      auto reply = tower_.land.run(
          limit, redis_, {lock(), cache()},
          {token_, value, std::to_string(tower_.options.value_ttl.count()), channel()});
      if (reply) {
        maybe_held_ = false;
        if (reply->kind == RedisReply::Kind::array) return std::move(reply->items.at(0).text);
        break;
      }
      if (redis_.usable()) break;  // refused, not lost on the way
    }
    return value;
  }

 private:
  // One limit for all that is done at the end, from when it is first asked for.
  const Context& last_minutes() {
    const std::chrono::milliseconds longest(2'000);
    if (!limit_) {
      limit_.emplace(
          with_timeout(Context::background(), std::min(longest, tower_.options.lock_ttl)));
    }
    return limit_->context();
  }
  bool reconnect(const Context& context) {
    if (redis_.usable()) return true;
    auto another = Redis::connect(context, tower_.endpoint);
    if (another) redis_ = *std::move(another);
    return redis_.usable();
  }

  FlightTower& tower_;
  Redis& redis_;
  const std::string suffix_;
  std::string token_;
  bool maybe_held_ = false;
  std::optional<CancelSource> limit_;
};

}  // namespace detail

class DistributedFuture {
 public:
  DistributedFuture(RedisEndpoint endpoint, Options options)
      : tower_(std::make_unique<detail::FlightTower>(std::move(endpoint), options)) {}
  DistributedFuture(const DistributedFuture&) = delete;
  DistributedFuture& operator=(const DistributedFuture&) = delete;

  Result<std::string> get(const Context& context, std::string_view key,
                          Fn<Result<std::string>(const Context&)> compute) {
    auto redis = Redis::connect(context, tower_->endpoint);
    if (!redis) return std::unexpected(redis.error());
    detail::Lease lease(*tower_, *redis, key);
    // Those who come when all is done need not listen.
    auto there = redis->command(context, {"GET", lease.cache()});
    if (!there) return std::unexpected(there.error());
    if (!there->is_nil()) return std::move(there->text);

    for (std::optional<RedisSubscription> news;;) {
      if (!news) {
        auto opened = RedisSubscription::open(context, tower_->endpoint, lease.channel());
        if (!opened) return std::unexpected(opened.error());
        news.emplace(*std::move(opened));
      }
      auto claimed = lease.claim(context);
      if (!claimed) return std::unexpected(claimed.error());
      if (auto* value = std::get_if<std::string>(&*claimed)) return std::move(*value);
      if (std::get<detail::Lease::Claim>(*claimed) == detail::Lease::Claim::won) break;
      const auto poll = with_timeout(context, tower_->options.poll_interval);
      const auto heard = news->next(poll.context());
      if (!heard && context.done()) return std::unexpected(*context.error());
      if (!heard && heard.error().code == Errc::unavailable) news.reset();
    }

    try {
      auto value = compute(context);
      if (!value) return value;
      return lease.land(*std::move(value));
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

 private:
  const std::unique_ptr<detail::FlightTower> tower_;
};

}  // namespace futures
