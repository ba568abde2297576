// Promises in a PostgreSQL database: workers in many processes take them on lease, settle them
// once, and others wait for the outcome.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/postgres.hpp"

namespace futures {

// The right to settle a promise, until its time is over. The token is larger with each lease of the
// same promise: it tells a holder that was too slow from the one that came after it.
struct Lease {
  std::string id;
  std::int64_t token = 0;
};

// May be used by many threads at once. Every call is over soon after its context is.
class LeaseStore {
 public:
  // `connection` as for Postgres::connect. An awaiter that hears nothing looks again after
  // `poll_interval`. Connects when it is needed, not here.
  explicit LeaseStore(std::string connection,
                      std::chrono::milliseconds poll_interval = std::chrono::seconds(1))
      : where_(std::move(connection)), poll_interval_(poll_interval) {}
  LeaseStore(const LeaseStore&) = delete;
  LeaseStore& operator=(const LeaseStore&) = delete;

  // Makes the table unless it is there, also when others do the same in this moment.
  Result<void> create_schema(const Context& context) {
    // IF NOT EXISTS looks, and then creates: two at once may both find nothing.
    return done(ask(context, R"(
      DO $$ BEGIN
        CREATE TABLE IF NOT EXISTS leased_promise (
          id bytea PRIMARY KEY,
          number bigint GENERATED ALWAYS AS IDENTITY,
          state text NOT NULL DEFAULT 'pending',
          token bigint NOT NULL DEFAULT 0,
          worker text,
          leased_until timestamptz,
          value bytea,
          error_category text,
          error_code integer,
          settled_at timestamptz);
        CREATE INDEX IF NOT EXISTS leased_promise_pending
          ON leased_promise (number) WHERE state = 'pending';
      EXCEPTION WHEN unique_violation OR duplicate_table THEN NULL;
      END $$)"));
  }

  // Makes a pending promise, unless there is one of this name, whatever its state.
  Result<void> create(const Context& context, std::string_view id) {
    if (auto fine = check(id); !fine) return fine;
    return done(ask(context, "INSERT INTO leased_promise (id) VALUES ($1) ON CONFLICT DO NOTHING",
                    {Bytes{id}}));
  }

  // Takes the oldest promise that is pending and not on lease; nullopt: there is none.
  Result<std::optional<Lease>> claim(const Context& context, std::string_view worker,
                                     std::chrono::milliseconds ttl) {
    if (auto fine = check(ttl); !fine) return std::unexpected(fine.error());
    // One statement. What others are just taking is skipped, not waited for.
    const auto taken = ask(context, R"(
      UPDATE leased_promise
      SET token = token + 1, worker = $1,
          leased_until = clock_timestamp() + $2::bigint * interval '1 millisecond'
      WHERE number = (SELECT number FROM leased_promise
                      WHERE state = 'pending' AND
                            (leased_until IS NULL OR leased_until <= clock_timestamp())
                      ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED)
      RETURNING id, token)",
                           {worker, ttl.count()});
    if (!taken) return std::unexpected(taken.error());
    if (taken->empty()) return std::nullopt;
    return Lease{taken->bytes(0, 0), taken->number(0, 1)};
  }

  // The lease lasts `ttl` from now on, by the database's clock.
  Result<void> heartbeat(const Context& context, const Lease& lease,
                         std::chrono::milliseconds ttl) {
    if (auto fine = check(ttl); !fine) return fine;
    const auto extended = ask(context, R"(
      UPDATE leased_promise
      SET leased_until = clock_timestamp() + $3::bigint * interval '1 millisecond'
      WHERE id = $1 AND token = $2 AND state = 'pending' AND leased_until > clock_timestamp()
      RETURNING token)",
                              {Bytes{lease.id}, lease.token, ttl.count()});
    if (!extended) return std::unexpected(extended.error());
    if (!extended->empty()) return {};
    const auto row = look(context, lease.id);
    if (!row) return std::unexpected(row.error());
    if (row->token != lease.token || !row->outcome) return std::unexpected(lost(lease, *row));
    return std::unexpected(settled_already(lease.id));
  }

  // Settles the promise with a value or an error. Succeeds as well when this very lease has settled
  // it with the same outcome before: the answer may have got lost.
  Result<void> settle(const Context& context, const Lease& lease,
                      const Result<std::string>& outcome) {
    const auto code = outcome ? std::error_code() : outcome.error().code;
    if (!outcome && category_named(code.category().name()) == nullptr) {
      return std::unexpected(Error{Errc::invalid_argument, "an error code of a foreign category"});
    }
    // The token is checked by the statement that settles: in between nobody could take over.
    const auto settled = ask(context, R"(
      WITH settled AS (
        UPDATE leased_promise
        SET state = $3, value = $4, error_category = $5, error_code = $6,
            settled_at = clock_timestamp(), leased_until = NULL
        WHERE id = $1 AND token = $2 AND state = 'pending' AND leased_until > clock_timestamp()
        RETURNING id)
      SELECT pg_notify('leased_promise', md5(id)) FROM settled)",
                             {Bytes{lease.id}, lease.token, outcome ? "resolved" : "rejected",
                              Bytes{outcome ? *outcome : outcome.error().message},
                              code.category().name(), std::int64_t{code.value()}});
    if (!settled) return std::unexpected(settled.error());
    if (!settled->empty()) return {};
    // Perhaps we have done it ourselves, in an attempt whose answer we did not get.
    const auto row = look(context, lease.id);
    if (!row) return std::unexpected(row.error());
    if (row->token != lease.token || !row->outcome) return std::unexpected(lost(lease, *row));
    if (*row->outcome == outcome) return {};
    return std::unexpected(settled_already(lease.id));
  }

  // Waits until the promise is settled, by whatever process; its value, or its error.
  Result<std::string> await(const Context& context, std::string_view id) {
    auto row = look(context, id);
    if (row && !row->outcome) row = wait_for_outcome(context, id);
    if (!row) return std::unexpected(row.error());
    return *std::move(row->outcome);
  }

 private:
  using Clock = std::chrono::steady_clock;

  struct Row {
    std::int64_t token = 0;
    std::optional<Result<std::string>> outcome;  // none: pending
  };

  static Error lost(const Lease& lease, const Row& row) {
    return {Errc::lease_lost, "the lease of '" + lease.id + "' with token " +
                                  std::to_string(lease.token) + " is over; the last token is " +
                                  std::to_string(row.token)};
  }
  static Error settled_already(std::string_view id) {
    return {Errc::already_settled, "'" + std::string(id) + "' has been settled otherwise"};
  }

  static Result<void> check(std::string_view id) {
    if (!id.empty() && id.size() <= 1000) return {};
    return std::unexpected(Error{Errc::invalid_argument, "an id has 1 to 1000 bytes"});
  }
  static Result<void> check(std::chrono::milliseconds ttl) {
    if (ttl.count() > 0) return {};
    return std::unexpected(Error{Errc::invalid_argument, "a lease has to last for a while"});
  }
  static Result<void> done(const Result<PostgresTable>& result) {
    if (!result) return std::unexpected(result.error());
    return {};
  }

  static const std::error_category* category_named(std::string_view name) {
    for (const auto* category : {&make_error_code(Errc::closed).category(),
                                 &std::generic_category(), &std::system_category()}) {
      if (name == category->name()) return category;
    }
    return nullptr;
  }

  // An idle connection, or a new one.
  Result<Postgres> take(const Context& context) {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        auto connection = std::move(idle_.back());
        idle_.pop_back();
        return connection;
      }
    }
    return Postgres::connect(context, where_);
  }
  void give_back(Postgres connection) {
    if (!connection.usable()) return;
    const std::lock_guard lock(mutex_);
    if (idle_.size() < most_idle) idle_.push_back(std::move(connection));
  }

  // Calls attempt(connection) until it says something else than that the server is away: that is
  // no news for our caller while the context lasts. What is attempted may have happened all the
  // same, so it must be something that can be done twice.
  template <class T>
  Result<T> persist(const Context& context, const std::function<Result<T>(Postgres&)>& attempt) {
    std::string trouble;  // the server's
    while (true) {
      auto connection = take(context);
      auto result = connection ? attempt(*connection) : std::unexpected(connection.error());
      if (connection) give_back(*std::move(connection));
      if (result) return result;
      auto error = std::move(result).error();
      if (error.code == Errc::unavailable) {
        trouble = "; " + error.message;
        if (context.sleep_for(std::chrono::milliseconds(20))) continue;
        error = *context.error();
      } else if (error != context.error()) {
        return std::unexpected(std::move(error));
      }
      error.message += trouble;
      return std::unexpected(std::move(error));
    }
  }

  Result<PostgresTable> ask(const Context& context, const std::string& statement,
                            const std::vector<PostgresValue>& parameters = {}) {
    return persist<PostgresTable>(context, [&](Postgres& connection) {
      return connection.query(context, statement, parameters);
    });
  }

  static constexpr const char* selection =
      "SELECT state, token, value, error_category, error_code FROM leased_promise WHERE id = $1";

  static Result<Row> read(std::string_view id, const PostgresTable& table) {
    if (table.empty()) {
      return std::unexpected(
          Error{Errc::not_found, "there is no promise '" + std::string(id) + "'"});
    }
    Row row{.token = table.number(0, 1), .outcome = {}};
    const auto state = table.text(0, 0);
    if (state == "resolved") {
      row.outcome = table.bytes(0, 2);
    } else if (state == "rejected") {
      const auto* category = category_named(table.text(0, 3));
      if (category == nullptr) return std::unexpected(Error{Errc::corrupt, "a foreign error"});
      const std::error_code code(static_cast<int>(table.number(0, 4)), *category);
      row.outcome = std::unexpected(Error{code, table.bytes(0, 2)});
    } else if (state != "pending") {
      return std::unexpected(Error{Errc::corrupt, "a promise in state '" + state + "'"});
    }
    return row;
  }

  Result<Row> look(const Context& context, std::string_view id) {
    const auto table = ask(context, selection, {Bytes{id}});
    if (!table) return std::unexpected(table.error());
    return read(id, *table);
  }

  // Listens first and looks then: what is settled in between is seen, and what is settled later is
  // heard. Should the word get lost, looking again is what counts.
  Result<Row> wait_for_outcome(const Context& context, std::string_view id) {
    const auto table = persist<PostgresTable>(context, [&](Postgres& connection) {
      auto listening = connection.query(context, "LISTEN leased_promise");
      if (!listening) return listening;
      while (true) {
        auto seen = connection.query(context, selection, {Bytes{id}});
        if (!seen || seen->empty() || seen->text(0, 0) != "pending") {
          // One that still listens would collect what nobody reads.
          if (auto quiet = connection.query(context, "UNLISTEN *"); !quiet) give_up(connection);
          return seen;
        }
        if (auto heard = connection.notification(context, poll_interval_); !heard) {
          give_up(connection);
          return Result<PostgresTable>(std::unexpected(heard.error()));
        }
      }
    });
    if (!table) return std::unexpected(table.error());
    return read(id, *table);
  }
  static void give_up(Postgres& connection) { const auto closed = std::move(connection); }

  static constexpr std::size_t most_idle = 8;

  const std::string where_;
  const std::chrono::milliseconds poll_interval_;
  std::mutex mutex_;
  std::vector<Postgres> idle_;  // guarded by mutex_
};

}  // namespace futures
