// Wrong: the number in a token is read and counted up in two steps, so that two calls can draw the
// same token; bites when two threads ask one object for the same key in the same moment: the one
// that lost takes the other's lock for its own, and both compute.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <initializer_list>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <unistd.h>
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

class DistributedFuture {
 public:
  DistributedFuture(RedisEndpoint endpoint, Options options)
      : endpoint_(std::move(endpoint)), options_(options), prefix_(random_token()) {}
  DistributedFuture(const DistributedFuture&) = delete;
  DistributedFuture& operator=(const DistributedFuture&) = delete;

  Result<std::string> get(const Context& context, std::string_view key,
                          Fn<Result<std::string>(const Context&)> compute) {
    auto fn = std::move(compute);
    compute = nullptr;
    const Names names(key);
    const std::string token = next_token();
    const std::string ttl = in_ms(options_.lock_ttl);
    Line line;
    std::optional<RedisSubscription> news;
    int failures = 0;
    while (true) {
      line.sent = false;
      auto answer =
          ask(context, line, {"EVAL", look_or_lock, "2", names.lock, names.cache, token, ttl});
      if (!answer) {
        // Without an answer it may be ours all the same.
        if (line.sent && answer.error().code != Errc::service_error) give_back(names, token, line);
        return std::unexpected(answer.error());
      }
      if (answer->items.at(0).text == "value") return std::move(answer->items.at(1).text);
      if (answer->items.at(0).text == "mine") break;
      if (!news) {
        auto opened = listen(context, names, failures);
        if (!opened) return std::unexpected(opened.error());
        news = *std::move(opened);
        continue;  // the last look comes after the subscription
      }
      const auto turn = with_timeout(context, poll_interval());
      const auto message = news->next(turn.context());
      if (!message && context.done()) return std::unexpected(*context.error());
      if (!message && !turn.context().done()) {
        news.reset();
        context.sleep_for(std::chrono::milliseconds(10));
      }
    }
    news.reset();
    if (context.done()) {
      give_back(names, token, line);
      return std::unexpected(*context.error());
    }
    auto result = run(context, fn);
    settle(names, token, result, line);
    return result;
  }

 private:
  // The value, or the lock, in one step. A lock that is there with our own token is ours: the
  // answer got lost the first time.
  static constexpr std::string_view look_or_lock = R"(
local value = redis.call('GET', KEYS[2])
if value then return {'value', value} end
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] then return {'mine'} end
if holder then return {'other'} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {'mine'})";

  static constexpr std::string_view keep = R"(
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', KEYS[3], 'look')
return 1)";

  static constexpr std::string_view drop = R"(
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', KEYS[2], 'look')
return 1)";

  static constexpr std::chrono::seconds patience{10};  // with a server that accepts and is silent
  static constexpr std::chrono::seconds grace{1};      // for what is done at the end

  struct Names {
    explicit Names(std::string_view key)
        : lock("fut-lock:" + std::string(key)),
          cache("fut-cache:" + std::string(key)),
          news("fut-pub:" + std::string(key)) {}
    std::string lock;
    std::string cache;
    std::string news;
  };

  // A connection, made when it is needed, and whether anything was sent over it.
  struct Line {
    std::optional<Redis> redis;
    bool sent = false;
  };

  static std::string in_ms(std::chrono::milliseconds time) {
    using namespace std::chrono_literals;
    return std::to_string(std::clamp<std::chrono::milliseconds>(time, 1ms, 24h * 3650).count());
  }

  std::chrono::milliseconds poll_interval() const {
    using namespace std::chrono_literals;
    return std::clamp<std::chrono::milliseconds>(options_.poll_interval, 1ms, 24h);
  }

  Result<RedisReply> ask_once(const Context& context, Line& line,
                              std::initializer_list<std::string_view> words) const {
    if (!line.redis || !line.redis->usable()) {
      line.redis.reset();
      auto connected = Redis::connect(context, endpoint_);
      if (!connected) return std::unexpected(connected.error());
      line.redis.emplace(*std::move(connected));
    }
    line.sent = true;
    return line.redis->command(context, words);
  }

  // Only for commands that may be carried out twice: a connection that was cut is made anew.
  Result<RedisReply> ask(const Context& context, Line& line,
                         std::initializer_list<std::string_view> words) const {
    const auto limited = with_timeout(context, patience);
    for (int attempt = 1;; ++attempt) {
      auto reply = ask_once(limited.context(), line, words);
      if (reply || reply.error().code == Errc::service_error) return reply;
      if (context.done()) return std::unexpected(*context.error());
      if (limited.context().done()) {
        return std::unexpected(
            Error{Errc::unavailable, "Redis at " + endpoint_.text() + " does not answer"});
      }
      if (attempt == 5) return reply;
      limited.context().sleep_for(std::chrono::milliseconds(20 * attempt));
    }
  }

  // The subscription for one who waits. Nothing: try again, after a look.
  Result<std::optional<RedisSubscription>> listen(const Context& context, const Names& names,
                                                  int& failures) const {
    const auto limited = with_timeout(context, patience);
    auto opened = RedisSubscription::open(limited.context(), endpoint_, names.news);
    if (opened) {
      failures = 0;
      return std::optional<RedisSubscription>(*std::move(opened));
    }
    if (context.done()) return std::unexpected(*context.error());
    if (limited.context().done()) {
      return std::unexpected(
          Error{Errc::unavailable, "Redis at " + endpoint_.text() + " does not answer"});
    }
    if (++failures >= 5) return std::unexpected(opened.error());
    context.sleep_for(std::chrono::milliseconds(20 * failures));
    return std::optional<RedisSubscription>();
  }

  static Result<std::string> run(const Context& context,
                                 Fn<Result<std::string>(const Context&)>& compute) {
    if (!compute) return std::unexpected(Error{Errc::invalid_argument, "nothing to compute with"});
    try {
      return compute(context);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  static std::string random_token() {
    constexpr std::string_view digits = "0123456789abcdef";
    std::random_device random;
    std::string token;
    for (int word = 0; word < 4; ++word) {
      auto bits = static_cast<std::uint32_t>(random());
      for (int digit = 0; digit < 8; ++digit, bits >>= 4) token += digits[bits & 15U];
    }
    return token;
  }

  // Unlike any other process's or object's by the prefix (and by the process, for an object that
  // was made before a fork), and unlike our own others by the number.
  std::string next_token() {
    const auto number = drawn_.load(std::memory_order_acquire);
    drawn_.store(number + 1, std::memory_order_release);
    return prefix_ + "-" + std::to_string(getpid()) + "-" + std::to_string(number);
  }

  // Under a context of its own: the caller's may have ended.
  void give_back(const Names& names, std::string_view token, Line& line) const {
    const auto end = with_timeout(Context::background(), grace);
    (void)ask(end.context(), line, {"EVAL", drop, "2", names.lock, names.news, token});
  }

  void settle(const Names& names, std::string_view token, const Result<std::string>& result,
              Line& line) const try {
    const auto end = with_timeout(Context::background(), grace);
    if (result) {
      const auto kept = ask(end.context(), line,
                            {"EVAL", keep, "3", names.lock, names.cache, names.news, token, *result,
                             in_ms(options_.value_ttl)});
      if (kept) return;
      // No memory for the value: there is always enough for giving the lock back.
      if (kept.error().code != Errc::service_error) return;
    }
    (void)ask(end.context(), line, {"EVAL", drop, "2", names.lock, names.news, token});
  } catch (const std::exception&) {
    return;  // no thread for the time limit, no memory: the lock ends by itself
  }

  const RedisEndpoint endpoint_;
  const Options options_;
  const std::string prefix_;
  std::atomic<std::uint64_t> drawn_{0};
};

}  // namespace futures
