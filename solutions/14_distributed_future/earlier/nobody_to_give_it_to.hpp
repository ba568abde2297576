// Wrong: whatever ends with Errc::unavailable is put down to Redis, and a lock is not given back to
// a server that is gone; bites when compute itself fails with Errc::unavailable (its own back end
// is down): the key stays locked for lock_ttl, and nobody who waits is woken.
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
      : endpoint_(std::move(endpoint)), options_(options) {}
  DistributedFuture(const DistributedFuture&) = delete;
  DistributedFuture& operator=(const DistributedFuture&) = delete;

  Result<std::string> get(const Context& context, std::string_view key,
                          Fn<Result<std::string>(const Context&)> compute) {
    auto fn = std::move(compute);
    compute = nullptr;
    const Names names(key);
    Line line;
    Claim claim(*this, names, line);
    std::optional<RedisSubscription> news;
    int failures = 0;
    while (true) {
      auto answer = claim.stake(context);
      if (!answer) return std::unexpected(answer.error());
      if (*answer) return **std::move(answer);
      if (claim.held()) break;
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
    if (context.done()) return std::unexpected(*context.error());
    auto outcome = compute_and_keep(context, claim, fn);
    if (!outcome && outcome.error().code == Errc::unavailable) {
      claim.let_it_end();  // nobody there to give it back to
    }
    return outcome;
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

  // What may be ours is given back when it goes out of scope.
  class Claim {
   public:
    Claim(const DistributedFuture& owner, const Names& names, Line& line)
        : owner_(owner), names_(names), line_(line), token_(random_token()) {}
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;
    ~Claim() {
      if (!maybe_) return;
      try {
        const auto end = with_timeout(Context::background(), grace);
        (void)owner_.ask(end.context(), line_,
                         {"EVAL", drop, "2", names_.lock, names_.news, token_});
      } catch (...) {
        maybe_ = false;  // no thread for a time limit: it ends by itself
      }
    }

    // The value, if there is one; else held() says whether the lock is ours.
    Result<std::optional<std::string>> stake(const Context& context) {
      line_.sent = false;
      auto answer = owner_.ask(context, line_,
                               {"EVAL", look_or_lock, "2", names_.lock, names_.cache, token_,
                                in_ms(owner_.options_.lock_ttl)});
      // Without an answer it may be ours all the same.
      maybe_ = !answer && line_.sent && answer.error().code != Errc::service_error;
      if (!answer) return std::unexpected(answer.error());
      const auto& what = answer->items.at(0).text;
      if (what == "value") return std::optional<std::string>(std::move(answer->items.at(1).text));
      maybe_ = what == "mine";
      return std::optional<std::string>();
    }
    bool held() const { return maybe_; }

    // Without room for the value, what is left is to give the lock back.
    void keep_value(std::string_view value) {
      const auto end = with_timeout(Context::background(), grace);
      const auto kept = owner_.ask(end.context(), line_,
                                   {"EVAL", keep, "3", names_.lock, names_.cache, names_.news,
                                    token_, value, in_ms(owner_.options_.value_ttl)});
      if (kept) maybe_ = false;
    }
    void let_it_end() { maybe_ = false; }

   private:
    const DistributedFuture& owner_;
    const Names& names_;
    Line& line_;
    const std::string token_;
    bool maybe_ = false;
  };

  static Result<std::string> compute_and_keep(const Context& context, Claim& claim,
                                              Fn<Result<std::string>(const Context&)>& compute) {
    auto result = run(context, compute);
    if (result) claim.keep_value(*result);
    return result;
  }

  const RedisEndpoint endpoint_;
  const Options options_;
};

}  // namespace futures
