// A thin layer over hiredis: connections, binary-safe commands, scripts and subscriptions that obey
// a Context. Enough that a learner writes the protocol of a distributed future and not the
// plumbing.
//
// Commands and replies: https://redis.io/docs/latest/develop/reference/protocol-spec/
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <hiredis/hiredis.h>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <poll.h>
#include <signal.h>
#include <span>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <system_error>
#include <time.h>
#include <utility>
#include <vector>

#include "context.hpp"
#include "error.hpp"
#include "socket_waiter.hpp"

namespace futures {

// Where a server listens: a unix socket when path is set, else host and port.
struct RedisEndpoint {
  std::string path;
  std::string host = "127.0.0.1";
  int port = 6379;

  // "unix:///run/redis.sock", "redis://host" or "redis://host:port"; else Errc::invalid_argument.
  static Result<RedisEndpoint> parse(std::string_view url) {
    constexpr std::string_view unix_scheme = "unix://";
    constexpr std::string_view tcp_scheme = "redis://";
    RedisEndpoint endpoint;
    if (url.starts_with(unix_scheme)) {
      endpoint.path = url.substr(unix_scheme.size());
      if (!endpoint.path.empty()) return endpoint;
    } else if (url.starts_with(tcp_scheme)) {
      const auto rest = url.substr(tcp_scheme.size());
      const auto colon = rest.rfind(':');
      endpoint.host = rest.substr(0, colon);
      const auto port = colon == rest.npos ? "6379" : rest.substr(colon + 1);
      const auto [end, problem] =
          std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
      const bool whole = problem == std::errc() && end == port.data() + port.size();
      if (!endpoint.host.empty() && whole && endpoint.port > 0 && endpoint.port < 65536) {
        return endpoint;
      }
    }
    return std::unexpected(
        Error{Errc::invalid_argument, "'" + std::string(url) +
                                          "' is no address of a Redis server: write "
                                          "unix:///path/to.sock or redis://host:port"});
  }

  std::string text() const {
    return path.empty() ? "redis://" + host + ":" + std::to_string(port) : "unix://" + path;
  }
};

// What a server answered. An error reply is no RedisReply: commands return it as an Error.
struct RedisReply {
  enum class Kind : std::uint8_t { nil, status, integer, string, array };

  Kind kind = Kind::nil;
  std::string text;       // status and string; may hold any byte
  long long integer = 0;  // integer
  std::vector<RedisReply> items;

  bool is_nil() const { return kind == Kind::nil; }
};

namespace detail {

// hiredis writes without MSG_NOSIGNAL: a server that went away would end the whole process.
class BlockSigpipe {
 public:
  BlockSigpipe() {
    sigemptyset(&sigpipe_);
    sigaddset(&sigpipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &sigpipe_, &before_);
  }
  ~BlockSigpipe() {
    const timespec now{};
    while (sigtimedwait(&sigpipe_, nullptr, &now) == SIGPIPE) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  BlockSigpipe(const BlockSigpipe&) = delete;
  BlockSigpipe& operator=(const BlockSigpipe&) = delete;

 private:
  sigset_t sigpipe_{};
  sigset_t before_{};
};

inline Result<RedisReply> convert(const redisReply& from) {
  RedisReply to;
  const auto text = [&from] { return std::string(from.str, static_cast<std::size_t>(from.len)); };
  switch (from.type) {
    case REDIS_REPLY_ERROR:
      return std::unexpected(Error{Errc::service_error, text()});
    case REDIS_REPLY_STATUS:
      to.kind = RedisReply::Kind::status;
      to.text = text();
      break;
    case REDIS_REPLY_STRING:
      to.kind = RedisReply::Kind::string;
      to.text = text();
      break;
    case REDIS_REPLY_INTEGER:
      to.kind = RedisReply::Kind::integer;
      to.integer = from.integer;
      break;
    case REDIS_REPLY_ARRAY:
      to.kind = RedisReply::Kind::array;
      for (const auto* item : std::span(from.element, static_cast<std::size_t>(from.elements))) {
        auto converted = convert(*item);
        if (!converted) return converted;
        to.items.push_back(*std::move(converted));
      }
      break;
    default:
      break;  // nil
  }
  return to;
}

}  // namespace detail

// One connection. For one thread at a time: a thread opens its own.
//
// After an Error other than Errc::service_error the connection is broken: part of an answer may
// still be on its way, so that it can't be used for another question. Every later call says
// Errc::unavailable; open a new one.
class Redis {
 public:
  // Errors: Errc::unavailable (nobody listens there, no permission…), or the context's.
  static Result<Redis> connect(const Context& context, const RedisEndpoint& endpoint) {
    Redis redis(endpoint, endpoint.path.empty()
                              ? redisConnectNonBlock(endpoint.host.c_str(), endpoint.port)
                              : redisConnectUnixNonBlock(endpoint.path.c_str()));
    if (!redis.connection_) return std::unexpected(redis.broken("out of memory"));
    if (redis.connection_->err != 0)
      return std::unexpected(redis.broken(redis.connection_->errstr));
    const auto ready = detail::SocketWaiter(context).wait(redis.connection_->fd, POLLOUT);
    if (!ready) return std::unexpected(ready.error());
    int problem = 0;
    socklen_t size = sizeof problem;
    getsockopt(redis.connection_->fd, SOL_SOCKET, SO_ERROR, &problem, &size);
    if (problem != 0) {
      return std::unexpected(redis.broken(std::generic_category().message(problem)));
    }
    return redis;
  }

  // Sends one command and waits for its answer. Arguments may hold any byte.
  // Errors: Errc::service_error with the server's own words (the connection stays good),
  // Errc::unavailable, or the context's error (the command may have been carried out all the same).
  Result<RedisReply> command(const Context& context, std::span<const std::string_view> arguments) {
    if (!connection_) return std::unexpected(unusable());
    std::vector<const char*> data;
    std::vector<std::size_t> sizes;
    for (const auto argument : arguments) {
      data.push_back(argument.data());
      sizes.push_back(argument.size());
    }
    redisAppendCommandArgv(connection_.get(), static_cast<int>(data.size()), data.data(),
                           sizes.data());
    const detail::SocketWaiter waiter(context);
    if (auto sent = flush(waiter); !sent) return std::unexpected(sent.error());
    return read(waiter, Owed::yes);
  }

  Result<RedisReply> command(const Context& context,
                             std::initializer_list<std::string_view> arguments) {
    return command(context, std::span(arguments.begin(), arguments.size()));
  }

  // Waits for something that the server sends by itself (after SUBSCRIBE). Unlike a command, a wait
  // whose context ends leaves the connection good: no answer is owed.
  Result<RedisReply> next(const Context& context) {
    if (!connection_) return std::unexpected(unusable());
    return read(detail::SocketWaiter(context), Owed::no);
  }

  bool usable() const { return connection_ != nullptr; }

 private:
  enum class Owed : bool { no, yes };  // whether an answer is on its way

  struct Free {
    void operator()(redisContext* connection) const { redisFree(connection); }
    void operator()(void* reply) const { freeReplyObject(reply); }
  };

  Redis(const RedisEndpoint& endpoint, redisContext* connection)
      : where_(endpoint.text()), connection_(connection) {}

  Error broken(std::string_view why) const {
    return Error{Errc::unavailable, "Redis at " + where_ + ": " + std::string(why)};
  }

  Error unusable() const { return broken("the connection broke earlier; open a new one"); }

  std::unexpected<Error> fail(Error error) {
    connection_.reset();
    return std::unexpected(std::move(error));
  }

  Result<void> flush(const detail::SocketWaiter& waiter) {
    const detail::BlockSigpipe quiet;
    for (int done = 0; done == 0;) {
      if (redisBufferWrite(connection_.get(), &done) != REDIS_OK) {
        return fail(broken(connection_->errstr));
      }
      if (done != 0) break;
      // Readable as well: a server that ends the connection says why before it stops listening.
      const auto ready = waiter.wait(connection_->fd, POLLOUT | POLLIN);
      if (!ready) return fail(ready.error());
      if ((*ready & POLLIN) != 0 && redisBufferRead(connection_.get()) != REDIS_OK) {
        return fail(broken(connection_->errstr));
      }
    }
    return {};
  }

  Result<RedisReply> read(const detail::SocketWaiter& waiter, Owed owed) {
    while (true) {
      void* raw = nullptr;
      if (redisGetReplyFromReader(connection_.get(), &raw) != REDIS_OK) {
        return fail(broken(connection_->errstr));
      }
      if (raw != nullptr) {
        const std::unique_ptr<void, Free> reply(raw);
        return detail::convert(*static_cast<const redisReply*>(raw));
      }
      const auto ready = waiter.wait(connection_->fd, POLLIN);
      if (!ready) {
        if (owed == Owed::no) return std::unexpected(ready.error());
        return fail(ready.error());
      }
      if (redisBufferRead(connection_.get()) != REDIS_OK) {
        return fail(broken(connection_->errstr));
      }
    }
  }

  std::string where_;
  std::unique_ptr<redisContext, Free> connection_;  // null once broken
};

// A Lua script, sent in full only to a server that does not know it yet.
// Safe to share between threads; a connection is not.
class RedisScript {
 public:
  explicit RedisScript(std::string source) : source_(std::move(source)) {}

  // Runs the script with its KEYS and ARGV. Errors: as Redis::command.
  Result<RedisReply> run(const Context& context, Redis& redis,
                         std::initializer_list<std::string_view> keys,
                         std::initializer_list<std::string_view> arguments) {
    const std::string key_count = std::to_string(keys.size());
    std::string sha = known_sha();
    for (bool loaded = false;; loaded = true) {
      if (sha.empty()) {
        const auto reply = redis.command(context, {"SCRIPT", "LOAD", source_});
        if (!reply) return reply;
        sha = remember(reply->text);
      }
      std::vector<std::string_view> command{"EVALSHA", sha, key_count};
      command.insert(command.end(), keys);
      command.insert(command.end(), arguments);
      auto reply = redis.command(context, command);
      // A server that was restarted, or told SCRIPT FLUSH, has forgotten it.
      const bool forgotten = !reply && reply.error().message.starts_with("NOSCRIPT");
      if (!forgotten || loaded) return reply;
      sha.clear();
    }
  }

 private:
  std::string known_sha() {
    const std::lock_guard lock(mutex_);
    return sha_;
  }
  std::string remember(const std::string& sha) {
    const std::lock_guard lock(mutex_);
    return sha_ = sha;
  }

  const std::string source_;
  std::mutex mutex_;
  std::string sha_;  // guarded by mutex_; empty: never loaded
};

// The messages of one channel, on a connection of their own. For one thread at a time.
class RedisSubscription {
 public:
  // Returns when the server has confirmed: every message published from now on arrives here.
  static Result<RedisSubscription> open(const Context& context, const RedisEndpoint& endpoint,
                                        std::string_view channel) {
    auto redis = Redis::connect(context, endpoint);
    if (!redis) return std::unexpected(redis.error());
    const auto confirmed = redis->command(context, {"SUBSCRIBE", channel});
    if (!confirmed) return std::unexpected(confirmed.error());
    return RedisSubscription(*std::move(redis));
  }

  // The next message; or the context's error, after which next() may be called again; or
  // Errc::unavailable, after which messages may have been missed and a new subscription is needed.
  Result<std::string> next(const Context& context) {
    while (true) {
      auto reply = redis_.next(context);
      if (!reply) return std::unexpected(reply.error());
      if (reply->items.size() == 3 && reply->items[0].text == "message") {
        return std::move(reply->items[2].text);
      }
    }
  }

 private:
  explicit RedisSubscription(Redis redis) : redis_(std::move(redis)) {}

  Redis redis_;
};

}  // namespace futures
