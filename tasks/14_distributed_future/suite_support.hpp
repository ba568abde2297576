// What the tests of task 14 share: a server, somebody who acts as another process, callers on
// threads of their own.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include "distributed_future.hpp"
#include "runtime/redis.hpp"
#include "testing/caller.hpp"
#include "testing/kit.hpp"
#include "testing/process.hpp"
#include "testing/redis_server.hpp"

namespace distributed_suite {

using namespace futures;
using namespace std::chrono_literals;
using namespace std::string_literals;
using std::chrono::milliseconds;
using workbook::forever;
using workbook::Gate;
using workbook::show;

using Compute = Fn<Result<std::string>(const Context&)>;

// A time that no test lives to see: what depends on it must not happen within a test.
constexpr milliseconds never = 10min;

inline workbook::Patience patience{workbook::patience};
template <class Pred>
bool eventually(Pred pred) {
  return patience.eventually(std::move(pred));
}

// A server of this run alone, for tests that look closer than a learner's own server allows.
inline const RedisEndpoint& private_server() {
  static const workbook::RedisServer server;
  return server.endpoint();
}

// The server of all tests that do not disturb it: the learner's own (REDIS_URL), or the private
// one.
inline const RedisEndpoint& shared_server() {
  static const RedisEndpoint endpoint = [] {
    const char* url = std::getenv("REDIS_URL");
    if (url == nullptr || *url == '\0') return private_server();
    const auto parsed = RedisEndpoint::parse(url);
    if (!parsed) throw std::runtime_error(parsed.error().message);
    return *parsed;
  }();
  return endpoint;
}

// A key nobody else uses, on whatever server, in whatever run.
inline std::string fresh_key(std::string_view what = "key") {
  static const std::string prefix =
      "workbook-14:" + std::to_string(::getpid()) + "." + std::to_string(std::random_device()());
  static std::atomic<int> count{0};
  return prefix + ":" + std::string(what) + std::to_string(++count) + ":";
}

// Another process that speaks the same protocol, or somebody at a terminal who looks at the server.
// For one thread at a time.
class Other {
 public:
  explicit Other(const RedisEndpoint& endpoint = shared_server()) : endpoint_(endpoint) {}

  Result<RedisReply> ask(const std::vector<std::string>& words) {
    const auto limit = with_timeout(forever, workbook::patience);
    if (!redis_ || !redis_->usable()) {
      auto connected = Redis::connect(limit.context(), endpoint_);
      if (!connected) return std::unexpected(connected.error());
      redis_.emplace(*std::move(connected));
    }
    const std::vector<std::string_view> views(words.begin(), words.end());
    return redis_->command(limit.context(), views);
  }

  // As ask(); an error is a trouble of the test's own.
  RedisReply tell(const std::vector<std::string>& words) {
    auto reply = ask(words);
    if (!reply) throw std::runtime_error(words[0] + ": " + reply.error().message);
    return *std::move(reply);
  }

  std::optional<std::string> read(const std::string& key) {
    auto reply = tell({"GET", key});
    if (reply.is_nil()) return std::nullopt;
    return std::move(reply.text);
  }
  std::optional<std::string> lock_of(const std::string& key) { return read("fut-lock:" + key); }
  std::optional<std::string> cached(const std::string& key) { return read("fut-cache:" + key); }
  long long ends_in(const std::string& name) { return tell({"PTTL", name}).integer; }

  void take_lock(const std::string& key, const std::string& token = "somebody else",
                 milliseconds ttl = never) {
    tell({"SET", "fut-lock:" + key, token, "PX", std::to_string(ttl.count())});
  }
  void drop_lock(const std::string& key) { tell({"DEL", "fut-lock:" + key}); }
  void forget(const std::string& key) { tell({"DEL", "fut-cache:" + key}); }

  // Whether somebody listens to what is said on the key's channel.
  bool is_listened_to(const std::string& key) {
    const auto reply = tell({"PUBSUB", "NUMSUB", "fut-pub:" + key});
    return reply.items.size() == 2 && reply.items[1].integer > 0;
  }

  // Connections that the server has, this one included.
  int connections() {
    const auto list = tell({"CLIENT", "LIST"}).text;
    return static_cast<int>(std::count(list.begin(), list.end(), '\n'));
  }

  const RedisEndpoint& endpoint() const { return endpoint_; }

 private:
  RedisEndpoint endpoint_;
  std::optional<Redis> redis_;
};

// What is said on a key's channel.
class Listener {
 public:
  Listener(const std::string& key, Other& other)
      : mark_("workbook-14-mark:" + key),
        other_(other),
        redis_(*Redis::connect(limit_.context(), other.endpoint())) {
    const auto subscribed =
        redis_.command(limit_.context(), {"SUBSCRIBE", "fut-pub:" + key, mark_});
    if (!subscribed || !redis_.next(limit_.context())) {
      throw std::runtime_error("cannot listen");  // each channel is confirmed
    }
  }

  // Everything that was published up to now. A word on a channel of our own says where "now" is.
  std::vector<std::string> heard() {
    other_.tell({"PUBLISH", mark_, "now"});
    while (true) {
      auto message = redis_.next(limit_.context());
      if (!message) throw std::runtime_error("listening: " + message.error().message);
      if (message->items.at(1).text == mark_) return all_;
      all_.push_back(std::move(message->items.at(2).text));
    }
  }

 private:
  CancelSource limit_ = with_timeout(forever, 10 * workbook::patience);
  const std::string mark_;
  Other& other_;
  Redis redis_;
  std::vector<std::string> all_;
};

struct Times {
  milliseconds lock = never;
  milliseconds value = never;
  milliseconds poll = never;  // so that whoever misses the news misses it for good
};

inline DistributedFuture make(const RedisEndpoint& endpoint, Times times = {}) {
  return DistributedFuture(
      endpoint, {.lock_ttl = times.lock, .value_ttl = times.value, .poll_interval = times.poll});
}

// A compute that returns this and counts its runs.
inline Compute returning(std::string value, std::atomic<int>* runs = nullptr) {
  return [value = std::move(value), runs](const Context&) -> Result<std::string> {
    if (runs != nullptr) ++*runs;
    return value;
  };
}

inline const Error out_of_order{Errc::corrupt, "the machine is out of order"};
inline Compute failing(std::atomic<int>* runs = nullptr) {
  return [runs](const Context&) -> Result<std::string> {
    if (runs != nullptr) ++*runs;
    return std::unexpected(out_of_order);
  };
}

// A compute that says when it has begun and returns when it may.
struct Slow {
  Gate begun;
  Gate go_on;
  Compute compute(Result<std::string> outcome) {
    return [this, outcome = std::move(outcome)](const Context&) {
      begun.open();
      (void)go_on.wait_for();  // with a limit: the test may have ended early
      return outcome;
    };
  }
};

// Calls get() on a thread of its own.
class Caller : public workbook::Caller<std::string> {
 public:
  Caller(DistributedFuture& future, std::string key, Compute compute,
         workbook::Patience& how_long = patience)
      : workbook::Caller<std::string>(
            how_long, [&future, key = std::move(key),
                       compute = std::move(compute)](const Context& context) mutable {
              return future.get(context, key, std::move(compute));
            }) {}
};

// The outcome with the words of an error, and without the megabytes of a value.
// An object, so that no overload in a header under test stands in for it.
inline constexpr auto told = [](const Result<std::string>& result) -> std::string {
  if (!result) return "the error \"" + result.error().message + "\" (" + show(result) + ")";
  if (result->size() <= 80) return "the value \"" + *result + '"';
  return "a value of " + std::to_string(result->size()) + " bytes";
};

}  // namespace distributed_suite
