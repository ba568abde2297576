// Right: while it computes, a second thread renews the lock, so that a slow computation keeps it.
// Within the process callers of one key share one flight; a waiter in another process tries again
// from the top, on fresh connections, for as long as its context lasts.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
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
  std::chrono::milliseconds lock_ttl{30'000};
  std::chrono::milliseconds value_ttl{300'000};
  std::chrono::milliseconds poll_interval{1'000};
};

class DistributedFuture {
 public:
  DistributedFuture(RedisEndpoint endpoint, Options options)
      : endpoint_(std::move(endpoint)), options_(options) {}

  Result<std::string> get(const Context& context, std::string_view key,
                          Fn<Result<std::string>(const Context&)> compute) {
    const std::string name(key);
    // One caller of this object at a time speaks to Redis about a key; the others wait here.
    const Turn turn(*this, name, context);
    if (!turn.mine()) return std::unexpected(*context.error());
    Error last{Errc::unavailable, "no attempt was made"};
    for (int attempt = 0; attempt < 3;) {
      auto outcome = attempt_once(context, name, compute);
      if (outcome.over) return std::move(outcome.result);
      if (context.done()) return std::unexpected(*context.error());
      if (!outcome.result) {
        last = outcome.result.error();
        ++attempt;
        context.sleep_for(std::chrono::milliseconds(5));
      }
    }
    return std::unexpected(last);
  }

 private:
  struct Outcome {
    bool over;  // false: try again; an error in result counts as a failed attempt
    Result<std::string> result;
  };

  class Turn {
   public:
    Turn(DistributedFuture& owner, const std::string& key, const Context& context)
        : owner_(owner), key_(key) {
      std::unique_lock lock(owner_.mutex_);
      mine_ = owner_.changed_.wait(lock, context.stop_token(),
                                   [&] { return !owner_.flying_.contains(key_); });
      if (mine_) owner_.flying_.insert(key_);
    }
    ~Turn() {
      if (!mine_) return;
      const std::lock_guard lock(owner_.mutex_);
      owner_.flying_.erase(key_);
      owner_.changed_.notify_all();
    }
    bool mine() const { return mine_; }

   private:
    DistributedFuture& owner_;
    const std::string key_;
    bool mine_ = false;
  };

  Outcome attempt_once(const Context& context, const std::string& key,
                       Fn<Result<std::string>(const Context&)>& compute) {
    const auto lock = "fut-lock:" + key;
    const auto cache = "fut-cache:" + key;
    const auto failed = [](const Error& error) { return Outcome{false, std::unexpected(error)}; };
    auto news = RedisSubscription::open(context, endpoint_, "fut-pub:" + key);
    if (!news) return failed(news.error());
    auto redis = Redis::connect(context, endpoint_);
    if (!redis) return failed(redis.error());
    const auto token = make_token();
    const auto ttl = std::to_string(options_.lock_ttl.count());
    const auto won = redis->command(context, {"SET", lock, token, "PX", ttl, "NX"});
    if (!won) return failed(won.error());
    auto value = redis->command(context, {"GET", cache});
    const bool computes = !won->is_nil() && value && value->is_nil();
    if (!won->is_nil() && !computes) finish(key, token, std::nullopt);
    if (!value) return failed(value.error());
    if (!value->is_nil()) return {true, std::move(value->text)};
    if (computes) return {true, lead(context, key, token, compute)};
    const auto brief = with_timeout(context, options_.poll_interval);
    (void)news->next(brief.context());
    return {false, std::string()};
  }

  Result<std::string> lead(const Context& context, const std::string& key, const std::string& token,
                           Fn<Result<std::string>(const Context&)>& compute) {
    Result<std::string> result;
    {
      const std::jthread renewing(
          [&](const std::stop_token& stop) { renew(stop, "fut-lock:" + key, token); });
      try {
        result = compute(context);
      } catch (...) {
        result = std::unexpected(error_from_current_exception());
      }
    }
    finish(key, token, result ? std::optional(*result) : std::nullopt);
    return result;
  }

  void renew(const std::stop_token& stop, const std::string& lock, const std::string& token) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock hold(mutex);
    const auto period = std::max(options_.lock_ttl / 4, std::chrono::milliseconds(1));
    while (!stop.stop_requested()) {
      wake.wait_for(hold, stop, period, [] { return false; });
      if (stop.stop_requested()) return;
      const auto limit = with_timeout(Context::background(), std::chrono::seconds(1));
      auto redis = Redis::connect(limit.context(), endpoint_);
      if (!redis) continue;
      (void)redis->command(limit.context(),
                           {"EVAL",
                            "if redis.call('GET', KEYS[1]) == ARGV[1] then "
                            "return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0",
                            "1", lock, token, std::to_string(options_.lock_ttl.count())});
    }
  }

  void finish(const std::string& key, const std::string& token, std::optional<std::string> value) {
    const auto limit = with_timeout(Context::background(), std::chrono::seconds(1));
    for (int attempt = 0; attempt < 2; ++attempt) {
      auto redis = Redis::connect(limit.context(), endpoint_);
      if (!redis) continue;
      const auto done = redis->command(
          limit.context(),
          {"EVAL",
           "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end "
           "if ARGV[2] == 'store' then redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4]) end "
           "redis.call('DEL', KEYS[1]) redis.call('PUBLISH', ARGV[5], ARGV[2]) return 1",
           "2", "fut-lock:" + key, "fut-cache:" + key, token, value ? "store" : "free",
           value.value_or(""), std::to_string(options_.value_ttl.count()), "fut-pub:" + key});
      if (done) return;
      if (done.error().code == Errc::service_error) value.reset();  // no memory: only free the lock
    }
  }

  static std::string make_token() {
    std::random_device device;
    std::mt19937_64 bits(std::uint64_t{device()} << 32 | device());
    return std::to_string(bits()) + "/" + std::to_string(device());
  }

  const RedisEndpoint endpoint_;
  const Options options_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::set<std::string> flying_;  // guarded by mutex_
};

}  // namespace futures
