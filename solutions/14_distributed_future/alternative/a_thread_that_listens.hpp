// Right: a waiter has a std::jthread of its own that listens and counts news, while it sleeps on a
// condition variable; the thread is joined before get returns.
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

class NewsRoom {
 public:
  NewsRoom(const Context& context, const RedisEndpoint& endpoint, const std::string& channel)
      : source_(with_cancel(context)),
        thread_([this, &endpoint, &channel] { listen(source_.context(), endpoint, channel); }) {}
  NewsRoom(const NewsRoom&) = delete;
  NewsRoom& operator=(const NewsRoom&) = delete;
  ~NewsRoom() { source_.cancel(); }  // and then the thread is joined

  std::uint64_t edition() const {
    const std::lock_guard lock(mutex_);
    return edition_;
  }

  // Until the edition is another one, the time is over, or the context has ended.
  // The error when nobody listens any more.
  std::optional<Error> wait(const Context& context, std::uint64_t read,
                            std::chrono::milliseconds at_most) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, context.stop_token(), after(at_most),
                        [&] { return edition_ != read; });
    return problem_;
  }

 private:
  void listen(const Context& context, const RedisEndpoint& endpoint, const std::string& channel) {
    while (true) {
      auto opened = RedisSubscription::open(context, endpoint, channel);
      if (!opened) return publish(opened.error());
      publish(std::nullopt);  // whatever came before: look again
      while (true) {
        const auto message = opened->next(context);
        if (!message && context.done()) return;
        if (!message) break;
        publish(std::nullopt);
      }
    }
  }

  void publish(std::optional<Error> problem) {
    const std::lock_guard lock(mutex_);
    ++edition_;
    problem_ = std::move(problem);
    changed_.notify_all();
  }

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::uint64_t edition_ = 0;     // guarded by mutex_
  std::optional<Error> problem_;  // guarded by mutex_
  CancelSource source_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace detail

class DistributedFuture {
 public:
  DistributedFuture(RedisEndpoint endpoint, Options options)
      : endpoint_(std::move(endpoint)), options_(options) {}
  DistributedFuture(const DistributedFuture&) = delete;
  DistributedFuture& operator=(const DistributedFuture&) = delete;

  Result<std::string> get(const Context& context, std::string_view key,
                          Fn<Result<std::string>(const Context&)> compute) {
    auto redis = Redis::connect(context, endpoint_);
    if (!redis) return std::unexpected(redis.error());
    const std::string name(key);
    const std::string lock = "fut-lock:" + name;
    const std::string cache = "fut-cache:" + name;
    const std::string channel = "fut-pub:" + name;
    const std::string token = new_token();
    std::optional<CancelSource> limit;  // of all that is done at the end
    const auto finally = [&](auto&& act) {
      if (!limit) {
        limit.emplace(with_timeout(
            Context::background(),
            std::min<std::chrono::milliseconds>(options_.lock_ttl, std::chrono::seconds(2))));
      }
      if (!redis->usable()) {
        auto another = Redis::connect(limit->context(), endpoint_);
        if (another) *redis = *std::move(another);
      }
      return act(limit->context());
    };
    const auto release = [&] {
      finally([&](const Context& parting) {
        return release_.run(parting, *redis, {lock}, {token, channel});
      });
    };

    {
      std::unique_ptr<detail::NewsRoom> news;
      while (true) {
        const auto edition = news ? news->edition() : 0;
        auto claimed = claim_.run(context, *redis, {lock, cache},
                                  {token, std::to_string(options_.lock_ttl.count())});
        if (!claimed) {
          release();
          return std::unexpected(claimed.error());
        }
        if (claimed->kind == RedisReply::Kind::string) return std::move(claimed->text);
        if (!claimed->is_nil()) break;
        if (!news) news = std::make_unique<detail::NewsRoom>(context, endpoint_, channel);
        // A new room is at edition 0 until it listens: the look after that is the one that counts.
        const auto problem = news->wait(context, edition, options_.poll_interval);
        if (context.done()) return std::unexpected(*context.error());
        if (problem) return std::unexpected(*problem);
      }
    }

    Result<std::string> value = [&]() -> Result<std::string> {
      try {
        return compute(context);
      } catch (...) {
        return std::unexpected(error_from_current_exception());
      }
    }();
    for (int attempt = 0; value && attempt < 2; ++attempt) {
      auto stored = finally([&](const Context& parting) {
        return store_.run(parting, *redis, {lock, cache},
                          {token, *value, std::to_string(options_.value_ttl.count()), channel});
      });
      if (stored && stored->kind == RedisReply::Kind::string) return std::move(stored->text);
      if (stored) return value;
      if (redis->usable()) break;
    }
    release();
    return value;
  }

 private:
  static std::string new_token() {
    std::random_device random;
    std::string token;
    for (int i = 0; i < 4; ++i) token += std::to_string(random()) + "+";
    return token;
  }

  const RedisEndpoint endpoint_;
  const Options options_;
  RedisScript claim_{R"(
    return redis.call('GET', KEYS[2])
        or redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]))"};
  RedisScript store_{R"(
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return redis.call('GET', KEYS[2]) end
    redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
    redis.call('DEL', KEYS[1])
    redis.call('PUBLISH', ARGV[4], 'there')
    return 1)"};
  RedisScript release_{R"(
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    redis.call('DEL', KEYS[1])
    redis.call('PUBLISH', ARGV[2], 'gone')
    return 1)"};
};

}  // namespace futures
