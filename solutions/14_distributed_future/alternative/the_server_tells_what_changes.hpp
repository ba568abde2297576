// Right, and odd: besides the channel of the key a waiter uses Redis' own client side caching: what
// it has looked at (the lock, the value) is tracked for it, and the server itself tells when one of
// them changes or ends, so that a lock that ran out is heard of, too. One script is claim, store
// and release; the pieces of a call are closures over what it has in its hands.
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
    const Names names{"fut-lock:" + std::string(key), "fut-cache:" + std::string(key),
                      "fut-pub:" + std::string(key), random_token()};
    const auto lock_ttl = std::to_string(options_.lock_ttl.count());
    std::optional<Redis> mouth;  // asks
    std::optional<Redis> ears;   // is told; goes with the mouth whose looks it is told about
    int mishaps = 0;

    // The context's own error, when that is what ended a question.
    const auto reason = [&context](const Error& error) {
      return std::unexpected(context.done() ? *context.error() : error);
    };
    // Whether to begin again: a connection broke that had been made, but not too often.
    const auto again = [&](const std::optional<Redis>& used) {
      if (!used || used->usable() || context.done() || ++mishaps > 4) return false;
      mouth.reset();
      ears.reset();
      return true;
    };
    // A claim that was not answered may have been heard.
    const auto fail = [&](const Error& error, bool claimed) -> Result<std::string> {
      auto result = reason(error);
      mouth.reset();
      ears.reset();
      if (claimed) finish(context, names, nullptr);
      return result;
    };

    bool claimed = false;  // asked for the lock, and not told that it is another's
    while (true) {
      if (!mouth) {
        auto opened = Redis::connect(context, endpoint_);
        if (!opened) return fail(opened.error(), claimed);
        mouth.emplace(*std::move(opened));
      }

      claimed = true;
      auto answer = step(context, *mouth, names, "claim", {}, lock_ttl);
      if (!answer) {
        if (again(mouth)) continue;
        return fail(answer.error(), claimed);
      }
      if (answer->items.size() == 1) return std::move(answer->items[0].text);
      if (answer->integer == kMine) break;
      claimed = false;

      if (!ears) {
        auto opened = Redis::connect(context, endpoint_);
        if (!opened) return fail(opened.error(), claimed);
        ears.emplace(*std::move(opened));
        const auto id = ears->command(context, {"CLIENT", "ID"});
        const auto heard = id ? ears->command(context, {"SUBSCRIBE", names.news, kChanges}) : id;
        if (!heard) {
          if (again(ears)) continue;
          return fail(heard.error(), claimed);
        }
        // A server that can't do it says so; there is the key's own channel as well.
        const auto tracked = mouth->command(
            context, {"CLIENT", "TRACKING", "ON", "REDIRECT", std::to_string(id->integer)});
        if (!tracked && !mouth->usable()) {
          if (again(mouth)) continue;
          return fail(tracked.error(), claimed);
        }
        continue;  // look again, with the ears open
      }

      const auto poll = with_timeout(context, options_.poll_interval);
      const auto news = ears->next(poll.context());
      if (news) continue;
      if (context.done()) return fail(news.error(), claimed);
      if (!ears->usable()) {  // a new pair of ears needs a mouth that speaks for it
        ears.reset();
        mouth.reset();
      }
    }

    ears.reset();
    mouth.reset();  // not kept while computing: that may take long
    auto result = call(compute, context);
    compute = nullptr;
    finish(context, names, result ? &*result : nullptr);
    return result;
  }

 private:
  static constexpr long long kMine = 1;
  static constexpr std::string_view kChanges = "__redis__:invalidate";
  // claim: {value}, 1 (the lock is mine, from before perhaps) or 0. store, release: 1, or 0 when
  // the lock is not mine any more.
  static constexpr std::string_view kScript = R"(
    local lock, cache, news = KEYS[1], KEYS[2], KEYS[3]
    local what, token, value, ttl = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
    local holder = redis.call('GET', lock)
    if what == 'claim' then
      local kept = redis.call('GET', cache)
      if kept then
        if holder == token then redis.call('DEL', lock) redis.call('PUBLISH', news, 'free') end
        return {kept}
      end
      if holder == token then return 1 end
      if holder then return 0 end
      redis.call('SET', lock, token, 'NX', 'PX', ttl)
      return 1
    end
    if holder ~= token then return 0 end
    if what == 'store' then redis.call('SET', cache, value, 'PX', ttl) end
    redis.call('DEL', lock)
    redis.call('PUBLISH', news, what)
    return 1)";

  struct Names {
    std::string lock, cache, news, token;
  };

  static std::string random_token() {
    std::random_device random;
    std::string token;
    for (int i = 0; i < 5; ++i) token += std::to_string(random()) + "-";
    return token;
  }

  static Result<std::string> call(Fn<Result<std::string>(const Context&)>& compute,
                                  const Context& context) {
    try {
      return compute(context);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  static Result<RedisReply> step(const Context& context, Redis& redis, const Names& names,
                                 std::string_view what, std::string_view value,
                                 std::string_view ttl) {
    return redis.command(context, {"EVAL", kScript, "3", names.lock, names.cache, names.news, what,
                                   names.token, value, ttl});
  }

  // Stores the value, if there is one and the lock is still ours, and gives the lock back. Under a
  // context of its own, which outlives the caller's by a second, and never lasts longer than five.
  void finish(const Context& caller, const Names& names, const std::string* value) const {
    auto limit = with_timeout(Context::background(), std::chrono::seconds(5));
    const auto hurry = [&limit] { limit.tighten(Clock::now() + std::chrono::seconds(1)); };
    const std::stop_callback when_the_caller_leaves(caller.stop_token(), hurry);

    const auto ttl = std::to_string(options_.value_ttl.count());
    for (int tries = 0; tries < 4; ++tries) {
      auto redis = Redis::connect(limit.context(), endpoint_);
      if (!redis) return;
      const auto answer = value != nullptr
                              ? step(limit.context(), *redis, names, "store", *value, ttl)
                              : step(limit.context(), *redis, names, "release", {}, ttl);
      if (answer) return;
      if (!redis->usable()) continue;  // the connection broke: what was asked can be asked again
      if (value == nullptr) return;
      value = nullptr;  // the server does not want it; the lock is given back all the same
    }
  }

  const RedisEndpoint endpoint_;
  const Options options_;
};

}  // namespace futures
