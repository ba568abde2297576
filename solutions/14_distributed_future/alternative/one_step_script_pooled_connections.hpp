// Right: looking and locking are one atomic script; connections are pooled and replaced if stale.
#pragma once

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>
#include <random>
#include <stop_token>
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
    Flight flight(key);
    std::optional<RedisSubscription> news;
    while (true) {
      auto step = try_step(context, flight);
      if (!step) {
        give_up(context, flight);  // the lock may be ours without our knowing
        return std::unexpected(std::move(step).error());
      }
      if (step->items.at(0).text == "value") return std::move(step->items.at(1).text);
      if (step->items.at(0).text == "locked") return lead(context, flight, std::move(compute));

      if (!news) {
        auto opened = RedisSubscription::open(context, endpoint_, flight.channel);
        if (!opened) return std::unexpected(std::move(opened).error());
        news.emplace(*std::move(opened));
        continue;  // what happened before the subscription is only seen by looking again
      }
      // Until the lock expires, if that is sooner: Redis tells how long.
      auto pause = options_.poll_interval;
      const std::chrono::milliseconds expires(step->items.at(1).integer);
      if (expires.count() >= 0) pause = std::min(pause, expires);
      const auto nap = with_timeout(context, std::max(pause, std::chrono::milliseconds(1)));
      const auto message = news->next(nap.context());
      if (context.done()) return std::unexpected(*context.error());
      if (!message && !nap.context().done()) news.reset();  // cut off: subscribe again
    }
  }

 private:
  struct Flight {
    std::string lock, cache, channel, token;

    explicit Flight(std::string_view key)
        : lock("fut-lock:"), cache("fut-cache:"), channel("fut-pub:") {
      for (auto* name : {&lock, &cache, &channel}) name->append(key);
      std::random_device random;
      for (int i = 0; i < 4; ++i) token += std::to_string(random()) + ".";
    }
  };

  // Outlives the caller's context by a moment, never the lock.
  class Afterwards {
   public:
    Afterwards(const Context& caller, std::chrono::milliseconds lock_ttl)
        : source_(with_timeout(Context::background(), lock_ttl)),
          hurry_(caller.stop_token(), Hurry{&source_}) {}
    const Context& context() const { return source_.context(); }

   private:
    struct Hurry {
      CancelSource* source;
      void operator()() const { source->tighten(Clock::now() + std::chrono::milliseconds(250)); }
    };
    CancelSource source_;
    std::stop_callback<Hurry> hurry_;
  };

  Result<RedisReply> try_step(const Context& context, const Flight& flight) {
    return run(context, step_, {flight.lock, flight.cache},
               {flight.token, std::to_string(options_.lock_ttl.count())});
  }

  Result<std::string> lead(const Context& context, const Flight& flight,
                           Fn<Result<std::string>(const Context&)> compute) {
    Result<std::string> value = [&]() -> Result<std::string> {
      try {
        return compute(context);
      } catch (...) {
        return std::unexpected(error_from_current_exception());
      }
    }();
    if (!value) {
      give_up(context, flight);
      return value;
    }
    {
      const Afterwards afterwards(context, options_.lock_ttl);
      const auto stored =
          run(afterwards.context(), store_, {flight.lock, flight.cache, flight.channel},
              {flight.token, *value, std::to_string(options_.value_ttl.count())});
      if (stored && stored->integer == 1) return value;
      if (stored) {
        return std::unexpected(Error{Errc::lease_lost, "computing took longer than the lock on " +
                                                           flight.lock +
                                                           " lasts; the value was not stored"});
      }
      if (!context.done()) value = std::unexpected(stored.error());
      // Else: a value that is there beats the end of the caller's context.
    }
    give_up(context, flight);
    return value;
  }

  void give_up(const Context& context, const Flight& flight) {
    const Afterwards afterwards(context, options_.lock_ttl);
    // Nothing to be done about a failure; the lock expires.
    (void)run(afterwards.context(), release_, {flight.lock, flight.channel}, {flight.token});
  }

  // All scripts may be run twice with the same token: when an old connection proves to be broken,
  // nobody knows whether the first run took place.
  Result<RedisReply> run(const Context& context, RedisScript& script,
                         std::initializer_list<std::string_view> keys,
                         std::initializer_list<std::string_view> arguments) {
    while (auto idle = take_idle()) {
      auto reply = script.run(context, *idle, keys, arguments);
      const bool stale = !idle->usable() && !context.done();
      if (!stale) {
        put_back(*std::move(idle));
        return reply;
      }
    }
    auto fresh = Redis::connect(context, endpoint_);
    if (!fresh) return std::unexpected(std::move(fresh).error());
    auto reply = script.run(context, *fresh, keys, arguments);
    put_back(*std::move(fresh));
    return reply;
  }

  std::optional<Redis> take_idle() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return std::nullopt;
    std::optional<Redis> redis(std::move(idle_.back()));
    idle_.pop_back();
    return redis;
  }

  void put_back(Redis redis) {
    if (!redis.usable()) return;
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(redis));
  }

  const RedisEndpoint endpoint_;
  const Options options_;
  std::mutex mutex_;
  std::vector<Redis> idle_;  // guarded by mutex_

  RedisScript step_{R"(
    local value = redis.call('GET', KEYS[2])
    if value then return {'value', value} end
    if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) or
       redis.call('GET', KEYS[1]) == ARGV[1] then return {'locked'} end
    return {'busy', redis.call('PTTL', KEYS[1])})"};
  RedisScript store_{R"(
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then
      return redis.call('GET', KEYS[2]) == ARGV[2] and 1 or 0
    end
    redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
    redis.call('DEL', KEYS[1])
    redis.call('PUBLISH', KEYS[3], '')
    return 1)"};
  RedisScript release_{R"(
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    redis.call('DEL', KEYS[1])
    redis.call('PUBLISH', KEYS[2], '')
    return 1)"};
};

}  // namespace futures
