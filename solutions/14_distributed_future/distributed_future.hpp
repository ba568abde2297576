// Task 14: one computation for many processes, coordinated through Redis.
#pragma once

#include <algorithm>
#include <chrono>
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

// Values that many processes want and one of them computes. In Redis there are, for each key,
//   fut-lock:KEY   who computes: a random token, gone by itself after lock_ttl
//   fut-cache:KEY  the value, byte for byte, gone by itself after value_ttl
//   fut-pub:KEY    a channel: "something has changed, look again"
//
// get() may be called from any number of threads at once; each call has connections of its own. The
// object must outlive the calls, and nothing of them outlives their return.
class DistributedFuture {
 public:
  DistributedFuture(RedisEndpoint endpoint, Options options)
      : endpoint_(std::move(endpoint)), options_(options) {}
  DistributedFuture(const DistributedFuture&) = delete;
  DistributedFuture& operator=(const DistributedFuture&) = delete;

  // The value of the key: the one that is kept, or what another process is computing, or else what
  // `compute` returns, which is then kept for everybody. compute runs on this thread, at most once,
  // and without any lock of this process held.
  //
  // A compute that fails (an Error, or an exception: Errc::exception) is told to its own caller and
  // is not kept; whoever waited for it tries again with its own compute.
  // Other errors: the context's, Errc::unavailable, Errc::service_error with the server's words.
  Result<std::string> get(const Context& context, std::string_view key,
                          Fn<Result<std::string>(const Context&)> compute) {
    const Names names(key);
    const std::string token = new_token();
    const std::string lock_ttl = std::to_string(options_.lock_ttl.count());
    auto redis = Redis::connect(context, endpoint_);
    if (!redis) return std::unexpected(redis.error());
    std::optional<RedisSubscription> news;
    while (true) {
      auto claimed = claim_.run(context, *redis, {names.lock, names.cache}, {token, lock_ttl});
      if (!claimed) {
        // The question may have reached the server all the same, and the lock may be ours.
        release(parting().context(), *redis, names, token);
        return std::unexpected(claimed.error());
      }
      if (claimed->kind == RedisReply::Kind::string) return std::move(claimed->text);
      if (!claimed->is_nil()) return lead(context, *redis, names, token, compute);
      if (!news) {
        auto opened = RedisSubscription::open(context, endpoint_, names.channel);
        if (!opened) return std::unexpected(opened.error());
        news.emplace(*std::move(opened));
        continue;  // what was published before we listened can only be seen by looking again
      }
      const auto briefly = with_timeout(context, options_.poll_interval);
      const auto heard = news->next(briefly.context());
      if (heard) continue;
      if (context.done()) return std::unexpected(*context.error());
      // Nothing heard for a while: the winner may be dead. Or the connection is, and with it,
      // maybe, some news: listen anew, then look.
      if (heard.error().code == Errc::unavailable) news.reset();
    }
  }

 private:
  struct Names {
    explicit Names(std::string_view key)
        : lock("fut-lock:" + std::string(key)),
          cache("fut-cache:" + std::string(key)),
          channel("fut-pub:" + std::string(key)) {}
    std::string lock;
    std::string cache;
    std::string channel;
  };

  // What has to be put in order at the end is not under the caller's context: when that has ended,
  // the others still need the lock, or the value. But not without any limit either: when the server
  // hangs, the lock goes by itself, and the caller wants to leave.
  CancelSource parting() const {
    constexpr std::chrono::milliseconds longest{2'000};
    return with_timeout(Context::background(), std::min(options_.lock_ttl, longest));
  }

  // 128 bits: enough that no two locks in the world have the same. Not one per process, and not one
  // per object: of two calls in one process, the late one must not take the other's lock for its
  // own.
  static std::string new_token() {
    std::random_device random;
    std::string token;
    for (int i = 0; i < 4; ++i) token += std::to_string(random()) + (i < 3 ? "-" : "");
    return token;
  }

  // We hold the lock. Every way out of here gives it back.
  Result<std::string> lead(const Context& context, Redis& redis, const Names& names,
                           const std::string& token,
                           Fn<Result<std::string>(const Context&)>& compute) {
    auto computed = run(context, compute);
    const auto end = parting();
    if (computed) {
      const auto value_ttl = std::to_string(options_.value_ttl.count());
      const auto store = [&](Redis& connection) {
        return store_.run(end.context(), connection, {names.lock, names.cache},
                          {token, *computed, value_ttl, names.channel});
      };
      auto stored = store(redis);
      if (!stored && !redis.usable()) {
        // It broke while we computed. Once more is harmless: if it was stored after all, our token
        // is gone.
        auto another = Redis::connect(end.context(), endpoint_);
        if (another) redis = *std::move(another);
        if (redis.usable()) stored = store(redis);
      }
      // We were late, and another one has been faster: all shall have the same.
      if (stored && stored->kind == RedisReply::Kind::string) return std::move(stored->text);
      // The value is right even if it can't be kept: work that is done is not thrown away.
      if (stored) return computed;
    }
    release(end.context(), redis, names, token);
    return computed;
  }

  static Result<std::string> run(const Context& context,
                                 Fn<Result<std::string>(const Context&)>& compute) {
    try {
      return compute(context);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  void release(const Context& parting, Redis& redis, const Names& names, const std::string& token) {
    if (!redis.usable()) {
      auto another = Redis::connect(parting, endpoint_);
      if (!another) return;  // the lock goes by itself
      redis = *std::move(another);
    }
    (void)release_.run(parting, redis, {names.lock}, {token, names.channel});
  }

  const RedisEndpoint endpoint_;
  const Options options_;

  // Look and lock in one step: the value, or "OK" when the lock is ours now, or nil. With a GET and
  // then a SET NX, a winner could finish between the two, and its work would be done twice: then
  // one must look a second time after winning. The lock and its end are one step too: a process
  // that died between SET NX and PEXPIRE would lock everybody out for good.
  RedisScript claim_{R"(
    local value = redis.call('GET', KEYS[2])
    if value then return value end
    return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
  )"};

  // Compare, store, tell and unlock in one step: a lock may end between any two commands, and what
  // a successor has stored by then must stand. Returns what stands when the lock is not ours.
  // The value comes before the news: whoever hears it looks at once. The news is no value: it would
  // be sent to everybody who waits, and a value could look like a failure.
  RedisScript store_{R"(
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return redis.call('GET', KEYS[2]) end
    redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
    redis.call('DEL', KEYS[1])
    redis.call('PUBLISH', ARGV[4], 'stored')
    return 1
  )"};

  // Deletes our lock and no other, and wakes those who wait for it.
  RedisScript release_{R"(
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    redis.call('DEL', KEYS[1])
    redis.call('PUBLISH', ARGV[2], 'failed')
    return 1
  )"};
};

}  // namespace futures
