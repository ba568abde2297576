// Right: locks before it ever looks; waiters sleep by the lock's PTTL; a late holder yields.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <expected>
#include <initializer_list>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <type_traits>
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
  ~DistributedFuture() { delete parked_.load(); }

  Result<std::string> get(const Context& context, std::string_view key,
                          Fn<Result<std::string>(const Context&)> compute) {
    // Everything that a call needs of the server. The connection for commands comes from whoever
    // parked one, and is parked again when it is still good.
    Line line{*this, context, parked_.exchange(nullptr)};
    const std::string lock = "fut-lock:" + std::string(key);
    const std::string cache = "fut-cache:" + std::string(key);
    const std::string channel = "fut-pub:" + std::string(key);
    const auto lock_ttl = std::to_string(options_.lock_ttl.count());
    std::optional<RedisSubscription> news;
    int lost = 0;
    const auto give_up = [&](const Error& error) {
      line.redis.reset();
      news.reset();
      return error.code != Errc::unavailable || line.silent || ++lost > 4 ||
             !context.sleep_for(std::chrono::milliseconds(15 * lost));
    };
    while (true) {
      if (!news) {
        auto opened = line.bounded(context, [&](const Context& limit) {
          return RedisSubscription::open(limit, endpoint_, channel);
        });
        if (!opened) {
          if (give_up(opened.error())) return std::unexpected(line.verdict(opened.error()));
          continue;
        }
        news.emplace(*std::move(opened));
      }
      const auto token = random_token();
      const auto free_it = [&](std::chrono::milliseconds patience) {
        const auto limit = with_timeout(Context::background(), patience);
        for (int attempt = 0; attempt < 2; ++attempt) {  // the connection may have died meanwhile
          if (line.script(limit.context(), unlock_, {lock, channel}, {token})) break;
        }
      };
      auto locked = line.command({"SET", lock, token, "NX", "PX", lock_ttl});
      if (!locked) {
        free_it(std::chrono::milliseconds(250));  // it may have arrived for all we know
        if (give_up(locked.error())) return std::unexpected(line.verdict(locked.error()));
        continue;
      }
      const bool mine = !locked->is_nil();
      // The only look there is: after the lock was won, and after it was not.
      auto seen = line.command({"GET", cache});
      if (mine && (!seen || !seen->is_nil())) free_it(std::chrono::milliseconds(1'000));
      if (!seen) {
        if (give_up(seen.error())) return std::unexpected(line.verdict(seen.error()));
        continue;
      }
      if (!seen->is_nil()) return std::move(seen->text);
      if (mine) {
        auto value = run(context, std::move(compute));
        if (!value) {
          free_it(std::chrono::milliseconds(1'000));
          return value;
        }
        return store(line, {lock, cache, channel}, token, *std::move(value));
      }
      // Somebody else is at it. Sleep until there is news, until its lock has run out, or for long
      // enough; who owns the lock by then shows in the next round.
      auto left = line.command({"PTTL", lock});
      if (!left) {
        if (give_up(left.error())) return std::unexpected(line.verdict(left.error()));
        continue;
      }
      lost = 0;
      if (left->integer == -2) continue;  // gone since: no need to sleep
      auto nap = options_.poll_interval;
      if (left->integer >= 0) nap = std::min(nap, std::chrono::milliseconds(left->integer + 1));
      const auto alarm = with_timeout(context, nap);
      const auto message = news->next(alarm.context());
      if (!message && context.done()) return std::unexpected(*context.error());
      if (!message && message.error().code != Errc::deadline_exceeded) news.reset();
    }
  }

 private:
  static constexpr std::chrono::milliseconds silence{4'000};

  struct Line {
    DistributedFuture& owner;
    const Context& context;
    std::unique_ptr<Redis> redis;
    bool silent = false;

    Line(DistributedFuture& future, const Context& caller, Redis* parked)
        : owner(future), context(caller), redis(parked) {}
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;
    ~Line() {
      if (redis && redis->usable()) delete owner.parked_.exchange(redis.release());
    }

    // Runs f with a context that also ends when the server has been silent for too long.
    template <class F>
    std::invoke_result_t<F, const Context&> bounded(const Context& outer, F f) {
      const auto limit = with_timeout(outer, silence);
      auto result = f(limit.context());
      if (!result && limit.context().done() && !outer.done()) silent = true;
      return result;
    }

    Result<Redis*> ready(const Context& limit) {
      if (!redis || !redis->usable()) {
        auto fresh = Redis::connect(limit, owner.endpoint_);
        if (!fresh) return std::unexpected(fresh.error());
        redis = std::make_unique<Redis>(*std::move(fresh));
      }
      return redis.get();
    }

    Result<RedisReply> command(std::initializer_list<std::string_view> words) {
      return bounded(context, [&](const Context& limit) -> Result<RedisReply> {
        const auto connection = ready(limit);
        if (!connection) return std::unexpected(connection.error());
        return (*connection)->command(limit, words);
      });
    }

    Result<RedisReply> script(const Context& limit, RedisScript& script,
                              std::initializer_list<std::string_view> keys,
                              std::initializer_list<std::string_view> arguments) {
      const auto connection = ready(limit);
      if (!connection) return std::unexpected(connection.error());
      return script.run(limit, **connection, keys, arguments);
    }

    Error verdict(const Error& error) const {
      if (context.done()) return *context.error();
      if (!silent) return error;
      return Error{Errc::unavailable, "Redis at " + owner.endpoint_.text() + " is silent"};
    }
  };

  static Result<std::string> run(const Context& context,
                                 Fn<Result<std::string>(const Context&)> compute) {
    try {
      return compute(context);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  // Whose lock ran out meanwhile yields to the value of its successor, if there is one by now.
  Result<std::string> store(Line& line, std::initializer_list<std::string_view> keys,
                            const std::string& token, std::string value) {
    const auto ttl = std::to_string(options_.value_ttl.count());
    for (int attempt = 0; attempt < 2; ++attempt) {  // as above
      const auto limit = with_timeout(Context::background(), std::chrono::milliseconds(1'000));
      auto stands = line.script(limit.context(), store_, keys, {token, value, ttl});
      if (stands && stands->kind == RedisReply::Kind::string) return std::move(stands->text);
      if (stands || limit.context().done()) break;
    }
    return value;
  }

  static std::string random_token() {
    std::random_device entropy;
    std::string token;
    for (int i = 0; i < 4; ++i) token += std::to_string(entropy()) + ".";
    return token;
  }

  const RedisEndpoint endpoint_;
  const Options options_;
  std::atomic<Redis*> parked_{nullptr};  // at most one idle connection; whoever takes it owns it
  RedisScript unlock_{R"(
    if redis.call('GET', KEYS[1]) == ARGV[1] then
      redis.call('DEL', KEYS[1])
      redis.call('PUBLISH', KEYS[2], 'free')
    end)"};
  RedisScript store_{R"(
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return redis.call('GET', KEYS[2]) end
    redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
    redis.call('DEL', KEYS[1])
    redis.call('PUBLISH', KEYS[3], 'stored')
    return ARGV[2])"};
};

}  // namespace futures
