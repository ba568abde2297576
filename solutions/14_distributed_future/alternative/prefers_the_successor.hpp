// Right: a holder whose lock has ended waits for its successor's value, as any waiter does.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/redis.hpp"
#include "runtime/timer.hpp"

namespace futures {

struct Options {
  std::chrono::milliseconds lock_ttl{30'000};      // the lock ends by itself after this
  std::chrono::milliseconds value_ttl{300'000};    // how long a value is kept
  std::chrono::milliseconds poll_interval{1'000};  // how long lost news may go unnoticed
};

namespace shared {

using std::chrono::milliseconds;

// The three names of a key, and the caller's token.
struct Names {
  explicit Names(std::string_view key)
      : lock("fut-lock:" + std::string(key)),
        cache("fut-cache:" + std::string(key)),
        channel("fut-pub:" + std::string(key)) {}
  std::string lock, cache, channel;
};

// 128 random bits: another one for each attempt, in whatever thread or process.
inline std::string fresh_token() {
  std::random_device random;
  std::string token;
  for (int i = 0; i < 4; ++i) token += std::to_string(random()) + "-";
  return token;
}

inline std::string in_ms(milliseconds time) {
  return std::to_string(std::max(time, milliseconds(1)).count());
}

inline Result<std::string> run(const Context& context,
                               Fn<Result<std::string>(const Context&)>& compute) {
  try {
    return compute(context);
  } catch (...) {
    return std::unexpected(error_from_current_exception());
  }
}

struct Look {
  enum class Kind : std::uint8_t { value, won, lost };
  Kind kind;
  std::string value;
  milliseconds lock_left{0};
};

}  // namespace shared

class DistributedFuture {
 public:
  DistributedFuture(RedisEndpoint endpoint, Options options)
      : endpoint_(std::move(endpoint)), options_(options) {}
  DistributedFuture(const DistributedFuture&) = delete;
  DistributedFuture& operator=(const DistributedFuture&) = delete;

  Result<std::string> get(const Context& context, std::string_view key,
                          Fn<Result<std::string>(const Context&)> compute) {
    std::optional<Result<std::string>> own;  // the value that came too late to be stored
    const shared::Names names(key);
    std::optional<RedisSubscription> news;
    int broken = 0;
    while (true) {
      const auto token = shared::fresh_token();
      auto seen = look(context, names, token);
      if (!seen) return instead(context, own, seen.error());
      if (seen->kind == shared::Look::Kind::value) return std::move(seen->value);
      if (seen->kind == shared::Look::Kind::won) {
        news.reset();
        if (!own) {
          auto outcome = shared::run(context, compute);
          if (!outcome) {
            finish(context, names, token, nullptr);
            return outcome;
          }
          own = std::move(outcome);
        }
        // The successor has failed when we come here again: then ours is as good as any.
        if (finish(context, names, token, &**own) != Told::refused) return *std::move(own);
        continue;  // the lock had ended: others get the successor's value, and so shall we
      }
      if (!news) {
        auto opened = RedisSubscription::open(context, endpoint_, names.channel);
        if (!opened) return instead(context, own, opened.error());
        news.emplace(*std::move(opened));
        continue;  // and look again, now that no news can be missed
      }
      if (auto heard = wait(context, news, seen->lock_left, broken); !heard) {
        return instead(context, own, heard.error());
      }
    }
  }

 private:
  // Looks for the value and takes the lock in one step.
  Result<shared::Look> look(const Context& context, const shared::Names& names,
                            std::string_view token) {
    using Kind = shared::Look::Kind;
    auto redis = Redis::connect(context, endpoint_);
    if (!redis) return std::unexpected(redis.error());
    auto reply = look_.run(context, *redis, {names.cache, names.lock},
                           {token, shared::in_ms(options_.lock_ttl)});
    if (!reply) {
      // It may have been carried out all the same: then the lock is ours.
      finish(context, names, token, nullptr);
      return std::unexpected(reply.error());
    }
    const auto& items = reply->items;
    if (items.at(0).integer == 1) return shared::Look{Kind::value, items.at(1).text};
    if (items.at(0).integer == 2) return shared::Look{Kind::won, {}};
    return shared::Look{Kind::lost, {}, shared::milliseconds(items.at(1).integer)};
  }

  enum class Told : std::uint8_t { stored, refused, given_back, nobody };

  // Stores the value, or gives the lock back, whatever has become of the caller's context; when
  // that has ended, within half a second.
  Told finish(const Context& context, const shared::Names& names, std::string_view token,
              const std::string* value, std::string_view word = "given back") {
    using std::chrono::milliseconds;
    auto rest = with_timeout(Context::background(),
                             std::clamp(options_.lock_ttl, milliseconds(500), milliseconds(5'000)));
    const std::stop_callback hurry(context.stop_token(), [&rest] {
      try {
        rest.tighten(detail::after(milliseconds(500)));
      } catch (...) {
        rest.cancel();
      }
    });
    const auto& until = rest.context();
    for (int attempt = 1; attempt <= 4; ++attempt) {
      if (auto redis = Redis::connect(until, endpoint_)) {
        if (value != nullptr) {
          const auto stored =
              store_.run(until, *redis, {names.lock, names.cache},
                         {token, *value, shared::in_ms(options_.value_ttl), names.channel});
          if (stored) return stored->integer == 1 ? Told::stored : Told::refused;
          if (stored.error().code == Errc::service_error) value = nullptr;  // no memory, perhaps
        }
        if (value == nullptr && redis->usable()) {
          const auto given =
              give_back_.run(until, *redis, {names.lock}, {token, names.channel, word});
          if (given || given.error().code == Errc::service_error) return Told::given_back;
        }
      }
      if (!until.sleep_for(milliseconds(10 * attempt))) break;
    }
    return Told::nobody;
  }

  // Until there is news, or it is time to look again. An error ends the caller's wait.
  Result<void> wait(const Context& context, std::optional<RedisSubscription>& news,
                    shared::milliseconds lock_left, int& broken) {
    using std::chrono::milliseconds;
    auto time = std::max(options_.poll_interval, milliseconds(1));
    if (lock_left >= milliseconds(0)) time = std::min(time, lock_left + milliseconds(1));
    const auto nap = with_timeout(context, time);
    const auto message = news->next(nap.context());
    if (message) {
      broken = 0;
      return {};
    }
    if (context.done()) return std::unexpected(*context.error());
    if (nap.context().done()) return {};
    news.reset();  // the connection was cut: what was published meanwhile was heard by nobody
    if (++broken > 5) return std::unexpected(message.error());
    if (!context.sleep_for(milliseconds(5 * broken))) return std::unexpected(*context.error());
    return {};
  }

  // What a caller gets that can't wait any longer.
  static Result<std::string> instead(const Context& context,
                                     std::optional<Result<std::string>>& own, Error error) {
    if (context.done()) return std::unexpected(*context.error());
    if (own) return *std::move(own);
    return std::unexpected(std::move(error));
  }

  RedisScript look_{R"(
    local value = redis.call('GET', KEYS[1])
    if value then return {1, value} end
    if redis.call('EXISTS', KEYS[2]) == 1 then return {0, redis.call('PTTL', KEYS[2])} end
    redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2])
    return {2}
  )"};

  RedisScript store_{R"(
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
    redis.call('DEL', KEYS[1])
    redis.call('PUBLISH', ARGV[4], 'stored')
    return 1
  )"};

  RedisScript give_back_{R"(
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    redis.call('DEL', KEYS[1])
    redis.call('PUBLISH', ARGV[2], ARGV[3])
    return 1
  )"};

  const RedisEndpoint endpoint_;
  const Options options_;
};

}  // namespace futures
