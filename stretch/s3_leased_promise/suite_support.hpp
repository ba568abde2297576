// What the tests of this challenge share: a server, a schema for each test, somebody who looks at
// the table as psql would, callers on threads of their own.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "leased_promise.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/postgres.hpp"
#include "testing/caller.hpp"
#include "testing/kit.hpp"
#include "testing/postgres_server.hpp"
#include "testing/process.hpp"

namespace leased_suite {

using namespace futures;
using namespace std::chrono_literals;
using namespace std::string_literals;
using std::chrono::milliseconds;
using workbook::forever;
using workbook::Gate;
using workbook::show;

using Outcome = Result<std::string>;
using Claimed = Result<std::optional<Lease>>;

// A time that no test lives to see: what depends on it must not happen within a test.
constexpr milliseconds never = 10min;

inline workbook::Patience patience{15s};
template <class Pred>
bool eventually(Pred pred) {
  return patience.eventually(std::move(pred));
}

// The server of all tests that do not disturb it.
inline workbook::PostgresServer& shared_server() {
  static workbook::PostgresServer server;
  return server;
}

// A connection of the test's own. What fails here is a trouble of the test's. For one thread.
class Session {
 public:
  explicit Session(const std::string& where)
      : postgres_(std::make_unique<Postgres>(connected(where))) {}

  PostgresTable tell(const std::string& statement,
                     const std::vector<PostgresValue>& parameters = {}) {
    const auto limit = with_timeout(forever, workbook::patience);
    auto table = postgres_->query(limit.context(), statement, parameters);
    if (!table) throw std::runtime_error(statement + ": " + table.error().message);
    return *std::move(table);
  }

 private:
  static Postgres connected(const std::string& where) {
    const auto limit = with_timeout(forever, workbook::patience);
    auto postgres = Postgres::connect(limit.context(), where);
    if (!postgres) throw std::runtime_error("cannot connect: " + postgres.error().message);
    return *std::move(postgres);
  }

  std::unique_ptr<Postgres> postgres_;
};

// A schema that nobody else uses, and a look at it from outside.
class World {
 public:
  explicit World(const workbook::PostgresServer& server = shared_server())
      : server_(server), session_(server.connection()) {
    static std::atomic<int> count{0};
    name_ = "t" + std::to_string(++count);
    session_.tell("CREATE SCHEMA " + name_);
    session_.tell("SET search_path = " + name_);
  }

  // For a LeaseStore that the test calls `who`.
  std::string connection(const std::string& who = "store", const std::string& settings = {}) const {
    return server_.connection("application_name=" + name_ + "." + who +
                              " options='-c search_path=" + name_ + settings + "'");
  }
  Session session() const { return Session(connection("test")); }
  void reconnect() {
    session_ = Session(server_.connection());
    session_.tell("SET search_path = " + name_);
  }

  PostgresTable tell(const std::string& statement,
                     const std::vector<PostgresValue>& parameters = {}) {
    return session_.tell(statement, parameters);
  }
  std::string value_of(const std::string& expression, std::string_view id) {
    const auto table =
        tell("SELECT " + expression + " FROM leased_promise WHERE id = $1", {Bytes{id}});
    return table.empty() ? "no such row" : table.text(0, 0);
  }
  std::string state(std::string_view id) { return value_of("state", id); }

  // Lets a lease run out without anybody having to wait.
  void expire(std::string_view id) {
    tell(
        "UPDATE leased_promise SET leased_until = clock_timestamp() - interval '1 second' "
        "WHERE id = $1",
        {Bytes{id}});
  }
  // The milliseconds that a lease has left, by the database's clock.
  std::int64_t left(std::string_view id) {
    return std::stoll(value_of(
        "coalesce(floor(extract(epoch FROM leased_until - clock_timestamp()) * 1000)::bigint, 0)",
        id));
  }

  // The server's side of the connections of `who`.
  int backends(const std::string& who, const std::string& condition = "true") {
    return static_cast<int>(tell("SELECT pid FROM pg_stat_activity WHERE application_name = $1 "
                                 "AND (" +
                                     condition + ")",
                                 {name_ + "." + who})
                                .rows());
  }
  // Whether one of them comes to stand before a lock.
  bool blocked(const std::string& who) {
    return eventually([&] { return backends(who, "wait_event_type = 'Lock'") > 0; });
  }
  int terminate(const std::string& who) {
    return tell(
               "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
               "WHERE application_name = $1",
               {name_ + "." + who})
        .rows();
  }

 private:
  const workbook::PostgresServer& server_;
  Session session_;
  std::string name_;
};

// Calls something on a thread of its own, until the end of its scope at the longest.
template <class T>
class Caller : public workbook::Caller<T> {
 public:
  template <class F>
  explicit Caller(F call) : workbook::Caller<T>(patience, std::move(call)) {}
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;
  ~Caller() { this->cancel(); }
};

// The outcome with the words of an error, and without the megabytes of a value.
template <class T>
std::string told(const Result<T>& result) {
  if (!result) {
    return "the error \"" + result.error().message + "\" (" + result.error().code.message() + ")";
  }
  if constexpr (std::is_void_v<T>) {
    return "success";
  } else if constexpr (std::is_same_v<T, std::optional<Lease>>) {
    return *result ? "a lease of \"" + (*result)->id + '"' : "nothing to claim";
  } else {
    if (result->size() > 80) return "a value of " + std::to_string(result->size()) + " bytes";
    return "the value \"" + *result + '"';
  }
}

// `lease lost`, `success`: the kind of an answer.
template <class T>
std::string kind(const Result<T>& result) {
  return result ? "success" : result.error().code.message();
}

// A store with its table, and promises in it, oldest first.
inline void set_up(LeaseStore& store, const std::vector<std::string>& ids) {
  const auto made = store.create_schema(forever);
  if (!made) throw std::runtime_error("create_schema: " + told(made));
  for (const auto& id : ids) {
    const auto created = store.create(forever, id);
    if (!created) throw std::runtime_error("create: " + told(created));
  }
}

// What await() says of a promise that has been settled, or should have been.
inline Outcome got(LeaseStore& store, std::string_view id) {
  const auto limit = with_timeout(forever, patience());
  auto outcome = store.await(limit.context(), id);
  if (limit.context().done()) patience.disappoint();
  return outcome;
}

// A lease that the test needs to go on.
inline Lease must_claim(LeaseStore& store, std::string_view worker = "worker",
                        milliseconds ttl = never) {
  const auto limit = with_timeout(forever, patience());
  const auto claimed = store.claim(limit.context(), worker, ttl);
  if (!claimed || !*claimed) throw std::runtime_error("claim() returned " + told(claimed));
  return **claimed;
}

}  // namespace leased_suite
