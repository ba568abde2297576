// Wrong: at most 32 calls of an object are served at a time, also while they compute; bites when
// each of them asks the same object for another key.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/redis.hpp"

namespace futures {

struct Options {
  std::chrono::milliseconds lock_ttl{30'000};      // the lock ends by itself after this
  std::chrono::milliseconds value_ttl{300'000};    // how long a value is kept
  std::chrono::milliseconds poll_interval{1'000};  // how long lost news may go unnoticed
};

namespace detail {

// 128 bits that nobody else has.
inline std::string random_token() {
  constexpr std::string_view digits = "0123456789abcdef";
  std::random_device random;
  std::string token;
  for (int i = 0; i < 4; ++i) {
    const std::uint32_t bits = random();
    for (unsigned shift = 0; shift < 32; shift += 4) token += digits[(bits >> shift) & 15U];
  }
  return token;
}

// Between what Redis takes for a time to live and what a clock can add.
inline std::chrono::milliseconds sensible(std::chrono::milliseconds time) {
  using namespace std::chrono_literals;
  return std::clamp<std::chrono::milliseconds>(time, 1ms, 24h * 365);
}

// What a key is called in Redis.
struct RedisNames {
  explicit RedisNames(std::string_view key)
      : lock("fut-lock:" + std::string(key)),
        cache("fut-cache:" + std::string(key)),
        news("fut-pub:" + std::string(key)) {}
  std::string lock;
  std::string cache;
  std::string news;
};

inline Result<std::string> run_compute(Fn<Result<std::string>(const Context&)>& compute,
                                       const Context& context) {
  if (!compute)
    return std::unexpected(Error{Errc::invalid_argument, "there is no compute to call"});
  try {
    return compute(context);
  } catch (...) {
    return std::unexpected(error_from_current_exception());
  }
}

// KEYS: lock, cache, channel. ARGV: token, value, its time to live. 1: stored; 0: the lock is not
// ours any more. The lock is given back even when there is no memory for the value.
inline constexpr std::string_view store_script = R"lua(
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local kept = redis.pcall('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', KEYS[3], 'over')
if kept.err then return kept end
return 1
)lua";

// KEYS: lock, channel. ARGV: token. Gives the lock back if it is still ours, and tells everybody.
inline constexpr std::string_view release_script = R"lua(
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', KEYS[2], 'over')
return 1
)lua";

// KEYS: lock, cache. ARGV: token, the lock's time to live. {1, value}: it is there; {2}: the lock
// is ours, with the whole time before it, also when we had got it earlier without hearing of it;
// {3}: it is somebody else's.
inline constexpr std::string_view look_or_lock_script = R"lua(
local value = redis.call('GET', KEYS[2])
if value then return {1, value} end
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return {3} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {2}
)lua";

// How many may be at it at once. Waiting for a place obeys the context; a place that is free beats
// its end.
class Places {
 public:
  explicit Places(int count) : free_(count) {}

  class Place {
   public:
    explicit Place(Places& places) : places_(&places) {}
    Place(Place&& other) noexcept : places_(std::exchange(other.places_, nullptr)) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (places_ == nullptr) return;
      const std::lock_guard lock(places_->mutex_);
      ++places_->free_;
      places_->freed_.notify_one();
    }

   private:
    Places* places_;
  };

  Result<Place> take(const Context& context) {
    std::unique_lock lock(mutex_);
    if (!freed_.wait(lock, context.stop_token(), [this] { return free_ > 0; })) {
      return std::unexpected(*context.error());
    }
    --free_;
    return Place(*this);
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any freed_;
  int free_;  // guarded by mutex_
};

}  // namespace detail

// Values that many processes want and one of them computes. In Redis there are, for each key,
//   fut-lock:KEY   who computes: a random token, gone by itself after lock_ttl
//   fut-cache:KEY  the value, byte for byte, gone by itself after value_ttl
//   fut-pub:KEY    a channel for those who wait
//
// get() may be called from any number of threads at once. The object outlives the calls, and
// nothing of a call outlives its return.
class DistributedFuture {
 public:
  // Connects to nobody yet.
  DistributedFuture(RedisEndpoint endpoint, Options options)
      : endpoint_(std::move(endpoint)),
        lock_ttl_(detail::sensible(options.lock_ttl)),
        value_ttl_(detail::sensible(options.value_ttl)),
        poll_interval_(detail::sensible(options.poll_interval)) {}
  DistributedFuture(const DistributedFuture&) = delete;
  DistributedFuture& operator=(const DistributedFuture&) = delete;

  // The value of the key: the one that is kept, or what another process is computing, or else what
  // `compute` returns, which is then kept for everybody. compute runs at most once.
  //
  // A compute that fails (an Error, or an exception: Errc::exception) is told to its own caller, is
  // not kept, and wakes those who waited for it: they get an error too, or try with their own.
  // Other errors: the context's, Errc::unavailable, Errc::service_error with the server's words.
  Result<std::string> get(const Context& context, std::string_view key,
                          Fn<Result<std::string>(const Context&)> compute) {
    // Each call has up to two connections; a server has only so many.
    const auto place = places_.take(context);
    if (!place) return std::unexpected(place.error());
    const detail::RedisNames names(key);
    const std::string token = detail::random_token();
    std::optional<Redis> redis;
    std::optional<RedisSubscription> news;
    bool in_doubt = false;  // whether the lock may be ours without our having heard of it
    for (int failures = 0;;) {
      auto look = look_or_lock(context, redis, names, token);
      if (!look) {
        // A server that answers has done nothing; of any other silence one can't know.
        if (look.error().code != Errc::service_error) in_doubt = in_doubt || redis.has_value();
        const bool again = look.error().code == Errc::unavailable && redis && !context.done() &&
                           ++failures < patience;
        redis.reset();
        if (again) {
          context.sleep_for(std::chrono::milliseconds(10));
          continue;
        }
        if (in_doubt) release(context, names, token);
        return std::unexpected(look.error());
      }
      failures = 0;
      if (look->step == Step::value) {
        if (in_doubt) release(context, names, token);
        return std::move(look->value);
      }
      if (look->step == Step::ours) {
        redis.reset();
        news.reset();
        return compute_and_store(context, names, token, compute);
      }
      in_doubt = false;
      if (news) {
        wait_for_news(context, news);
      } else if (auto subscribed = RedisSubscription::open(context, endpoint_, names.news)) {
        news = *std::move(subscribed);  // and look again: what came before it was not heard
      } else {
        context.sleep_for(std::min(poll_interval_, std::chrono::milliseconds(50)));
      }
      if (context.done()) return std::unexpected(*context.error());
    }
  }

 private:
  // How long a call may go on after its context has ended, to give back what it holds. Enough to
  // get the words to the server; a server that is slow to answer hears them all the same.
  static constexpr auto grace = std::chrono::milliseconds(250);
  // Connections that break one after the other, before it is called a failure.
  static constexpr int patience = 4;

  static std::string text(std::chrono::milliseconds time) { return std::to_string(time.count()); }

  Result<RedisReply> once(const Context& context,
                          std::initializer_list<std::string_view> command) const {
    auto redis = Redis::connect(context, endpoint_);
    if (!redis) return std::unexpected(redis.error());
    return redis->command(context, command);
  }

  // Says something that Redis has to hear, whether or not the caller still waits. Safe to say
  // twice.
  Result<RedisReply> insist(const Context& context,
                            std::initializer_list<std::string_view> command) const {
    if (!context.done()) {
      // After lock_ttl there is nothing left that it could change.
      const auto limit = with_timeout(context, lock_ttl_);
      auto reply = once(limit.context(), command);
      if (reply || reply.error().code == Errc::service_error) return reply;
    }
    const auto limit = with_timeout(Context::background(), grace);
    return once(limit.context(), command);
  }

  Result<RedisReply> release(const Context& context, const detail::RedisNames& names,
                             std::string_view token) const {
    return insist(context, {"EVAL", detail::release_script, "2", names.lock, names.news, token});
  }

  enum class Step : std::uint8_t { value, ours, others };
  struct Look {
    Step step;
    std::string value;
  };

  // Looks for the value and, when there is none, takes the lock, in one step. `redis` is empty
  // afterwards when nothing was asked, because nobody listens.
  Result<Look> look_or_lock(const Context& context, std::optional<Redis>& redis,
                            const detail::RedisNames& names, const std::string& token) const {
    if (!redis) {
      auto connected = Redis::connect(context, endpoint_);
      if (!connected) return std::unexpected(connected.error());
      redis = *std::move(connected);
    }
    auto reply = redis->command(context, {"EVAL", detail::look_or_lock_script, "2", names.lock,
                                          names.cache, token, text(lock_ttl_)});
    if (!reply) return std::unexpected(reply.error());
    if (!reply->items.empty()) {
      switch (reply->items[0].integer) {
        case 1:
          if (reply->items.size() == 2) return Look{Step::value, std::move(reply->items[1].text)};
          break;
        case 2:
          return Look{Step::ours, {}};
        case 3:
          return Look{Step::others, {}};
        default:
          break;
      }
    }
    return std::unexpected(Error{Errc::service_error, "Redis answered with something unknown"});
  }

  // With the lock in hand, and no connection: nobody knows how long it takes.
  Result<std::string> compute_and_store(const Context& context, const detail::RedisNames& names,
                                        const std::string& token,
                                        Fn<Result<std::string>(const Context&)>& compute) const {
    auto value = detail::run_compute(compute, context);
    if (!value) {
      release(context, names, token);
      return value;
    }
    const auto stored = insist(context, {"EVAL", detail::store_script, "3", names.lock, names.cache,
                                         names.news, token, *value, text(value_ttl_)});
    // A server that did not want the value, or did not get all of it.
    if (!stored) release(context, names, token);
    return value;
  }

  // Until there is news, the context ends, or it is time to look without any. A subscription that
  // has failed is dropped.
  void wait_for_news(const Context& context, std::optional<RedisSubscription>& news) const {
    const auto nap = with_timeout(context, poll_interval_);
    const auto message = news->next(nap.context());
    if (message || nap.context().done()) return;
    news.reset();
    nap.context().sleep_for(std::chrono::milliseconds(20));
  }

  const RedisEndpoint endpoint_;
  const std::chrono::milliseconds lock_ttl_;
  const std::chrono::milliseconds value_ttl_;
  const std::chrono::milliseconds poll_interval_;
  detail::Places places_{32};
};

}  // namespace futures
