// Wrong: who reads for all wakes nobody when it leaves; bites when another one still waits.
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
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

// Values that many processes want and one of them computes.
class DistributedFuture {
 public:
  DistributedFuture(RedisEndpoint endpoint, Options options)
      : endpoint_(std::move(endpoint)), options_(options) {}
  DistributedFuture(const DistributedFuture&) = delete;
  DistributedFuture& operator=(const DistributedFuture&) = delete;

  Result<std::string> get(const Context& context, std::string_view key,
                          Fn<Result<std::string>(const Context&)> compute) {
    const Names names(key);
    const std::string token = random_token();
    std::optional<Seat> seat;
    while (true) {
      std::uint64_t seen = 0;
      if (seat) {
        auto subscribed = ensure_subscribed(context, names, seat->hub());
        if (!subscribed) return std::unexpected(std::move(subscribed).error());
        seen = *subscribed;
      }
      auto look = look_or_lock(context, names, token);
      if (!look) return std::unexpected(std::move(look).error());
      if (look->value) return *std::move(look->value);
      if (look->won) {
        seat.reset();
        return produce(context, names, token, std::move(compute));
      }
      if (!seat) {
        seat.emplace(*this, names.channel);  // subscribe, and look again
        continue;
      }
      listen(context, seat->hub(), seen);
      if (context.done()) return std::unexpected(*context.error());
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

  struct Look {
    std::optional<std::string> value;
    bool won = false;
  };

  // How long a server may take to answer, and how long we try to tidy up behind us.
  static constexpr std::chrono::seconds answer_limit{5};
  static constexpr std::chrono::seconds farewell_limit{1};

  // In one step: the value if there is one, else the lock if it is free.
  static constexpr std::string_view look_or_lock_script =
      "local value = redis.call('GET', KEYS[1])\n"
      "if value then return value end\n"
      "if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end\n"
      "return 0";
  // Only for the holder: keeps the value, gives the lock back, tells the others.
  static constexpr std::string_view store_script =
      "if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end\n"
      "redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])\n"
      "redis.call('DEL', KEYS[2])\n"
      "redis.call('PUBLISH', KEYS[3], 'stored')\n"
      "return 1";
  // Only for the holder: gives the lock back and tells the others.
  static constexpr std::string_view release_script =
      "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end\n"
      "redis.call('DEL', KEYS[1])\n"
      "redis.call('PUBLISH', KEYS[2], 'released')\n"
      "return 1";

  static std::string random_token() {
    std::random_device device;
    std::string token;
    for (int i = 0; i < 8; ++i) {
      const std::uint32_t bits = device();
      for (int shift = 0; shift < 32; shift += 4) token += "0123456789abcdef"[(bits >> shift) & 15];
    }
    return token;
  }

  // What to tell the caller: its context's error, or that the server did not answer in time.
  static Error explain(const Context& context, const Context& limited, Error error) {
    if (auto why = context.error()) return *std::move(why);
    if (limited.done()) return Error{Errc::unavailable, "the Redis server does not answer"};
    return error;
  }

  Result<RedisSubscription> subscribe(const Context& context, const Names& names) {
    const CancelSource limited = with_timeout(context, answer_limit);
    auto opened = RedisSubscription::open(limited.context(), endpoint_, names.channel);
    if (opened) return opened;
    return std::unexpected(explain(context, limited.context(), std::move(opened).error()));
  }

  Result<Look> look_or_lock(const Context& context, const Names& names, const std::string& token) {
    const CancelSource limited = with_timeout(context, answer_limit);
    auto redis = Redis::connect(limited.context(), endpoint_);
    if (!redis) {
      return std::unexpected(explain(context, limited.context(), std::move(redis).error()));
    }
    auto reply = redis->command(limited.context(),
                                {"EVAL", look_or_lock_script, "2", names.cache, names.lock, token,
                                 std::to_string(options_.lock_ttl.count())});
    if (!reply) {
      // Without an answer the lock may be ours all the same.
      if (!redis->usable()) give_back(names, token);
      if (redis->usable()) return std::unexpected(std::move(reply).error());
      return std::unexpected(explain(context, limited.context(), std::move(reply).error()));
    }
    Look look;
    if (reply->kind == RedisReply::Kind::string) {
      look.value = std::move(reply->text);
    } else {
      look.won = reply->integer == 1;
    }
    return look;
  }

  // The one subscription that all waiters of a key in this object share. One of them reads it, the
  // others wait for what it hears.
  struct Hub {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::optional<RedisSubscription> subscription;  // guarded by mutex, but for the reader
    bool busy = false;                              // somebody opens the subscription, or reads it
    std::uint64_t news = 0;                         // how many messages came, and connections broke
  };

  struct SharedHub {
    std::shared_ptr<Hub> hub = std::make_shared<Hub>();
    std::size_t seats = 0;
  };

  // Keeps a hub for as long as somebody waits there. The last one closes the connection.
  class Seat {
   public:
    Seat(DistributedFuture& owner, const std::string& channel) : owner_(owner) {
      const std::lock_guard lock(owner_.hubs_mutex_);
      place_ = owner_.hubs_.try_emplace(channel).first;
      ++place_->second.seats;
      hub_ = place_->second.hub;
    }
    ~Seat() {
      const std::lock_guard lock(owner_.hubs_mutex_);
      if (--place_->second.seats == 0) owner_.hubs_.erase(place_);
    }
    Seat(const Seat&) = delete;
    Seat& operator=(const Seat&) = delete;

    Hub& hub() const { return *hub_; }

   private:
    DistributedFuture& owner_;
    std::map<std::string, SharedHub>::iterator place_;
    std::shared_ptr<Hub> hub_;
  };

  // Ends the time in which this thread has the connection of the hub for itself.
  struct Busy {
    Hub& hub;
    const bool announce;  // whether others wait for the end of it
    Busy(Hub& h, bool a) : hub(h), announce(a) { hub.busy = true; }  // with the mutex held
    ~Busy() {
      const std::lock_guard lock(hub.mutex);
      hub.busy = false;
      if (announce) hub.changed.notify_all();
    }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;
  };

  // Returns the count of the news, as of a moment at which the subscription was there: look after
  // it, and then listen for a higher one.
  Result<std::uint64_t> ensure_subscribed(const Context& context, const Names& names, Hub& hub) {
    std::unique_lock lock(hub.mutex);
    while (true) {
      if (hub.subscription) return hub.news;
      if (hub.busy) {
        const auto free = [&hub] { return hub.subscription || !hub.busy; };
        if (!hub.changed.wait(lock, context.stop_token(), free)) {
          return std::unexpected(*context.error());
        }
        continue;
      }
      std::optional<Error> failed;
      {
        const Busy opening(hub, true);
        lock.unlock();
        auto opened = subscribe(context, names);
        lock.lock();
        if (opened) {
          hub.subscription = *std::move(opened);
        } else {
          failed = std::move(opened).error();
        }
        lock.unlock();
      }
      if (failed) return std::unexpected(*std::move(failed));
      lock.lock();
    }
  }

  // Returns when there are more news than were seen, when none came for a while, or when the
  // context has ended.
  void listen(const Context& context, Hub& hub, std::uint64_t seen) {
    const auto until = detail::after(options_.poll_interval);
    const CancelSource turn = with_deadline(context, until);
    std::unique_lock lock(hub.mutex);
    while (hub.news == seen && !turn.context().done()) {
      if (hub.busy) {
        hub.changed.wait(lock, turn.context().stop_token(),
                         [&hub, seen] { return hub.news != seen || !hub.busy; });
        continue;
      }
      if (!hub.subscription) return;   // broken, and not by news: open another one and look
      const Busy reading(hub, false);  // the others wait for news, and those are announced
      RedisSubscription& subscription = *hub.subscription;  // nobody else touches it while busy
      lock.unlock();
      const auto heard = subscription.next(turn.context());
      const bool broke = !heard && !turn.context().done();
      lock.lock();
      if (broke) hub.subscription.reset();
      if (heard || broke) {
        ++hub.news;
        hub.changed.notify_all();
      }
      lock.unlock();
      return;
    }
  }

  // With the lock in our hands.
  Result<std::string> produce(const Context& context, const Names& names, const std::string& token,
                              Fn<Result<std::string>(const Context&)> compute) {
    Result<std::string> result = call(compute, context);
    compute = nullptr;
    if (!result) {
      give_back(names, token);
    } else {
      (void)store(names, token, *result);  // the caller gets its value in any case
    }
    return result;
  }
  static Result<std::string> call(Fn<Result<std::string>(const Context&)>& compute,
                                  const Context& context) {
    try {
      return compute(context);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  // True: stored. False: the lock was not ours any more, and nothing happened. Otherwise an error,
  // and the lock is given back. All of it in a time of our own, the caller's may be over.
  Result<bool> store(const Names& names, const std::string& token, const std::string& value) {
    const CancelSource limited = with_timeout(Context::background(), farewell_limit);
    auto reply = ask_anew(limited.context(),
                          {"EVAL", store_script, "3", names.cache, names.lock, names.channel, token,
                           value, std::to_string(options_.value_ttl.count())});
    if (reply) return reply->integer == 1;
    give_back(limited.context(), names, token);
    return std::unexpected(std::move(reply).error());
  }

  void give_back(const Names& names, const std::string& token) {
    const CancelSource limited = with_timeout(Context::background(), farewell_limit);
    give_back(limited.context(), names, token);
  }
  void give_back(const Context& limited, const Names& names, const std::string& token) {
    (void)ask_anew(limited, {"EVAL", release_script, "2", names.lock, names.channel, token});
  }

  // On a new connection; once more when it is cut.
  Result<RedisReply> ask_anew(const Context& limited,
                              std::initializer_list<std::string_view> command) {
    for (bool again = false;; again = true) {
      auto redis = Redis::connect(limited, endpoint_);
      Result<RedisReply> reply =
          redis ? redis->command(limited, command)
                : Result<RedisReply>(std::unexpected(std::move(redis).error()));
      const bool cut = !reply && !(redis && redis->usable());
      if (!cut || again || limited.done()) return reply;
    }
  }

  std::mutex hubs_mutex_;
  std::map<std::string, SharedHub> hubs_;  // guarded by hubs_mutex_
  const RedisEndpoint endpoint_;
  const Options options_;
};

}  // namespace futures
