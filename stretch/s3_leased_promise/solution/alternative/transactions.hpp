// Right: BEGIN, lock the row, look, write, COMMIT; each call has a connection of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
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

struct Lease {
  std::string id;
  std::int64_t token = 0;
};

class LeaseStore {
 public:
  explicit LeaseStore(std::string connection,
                      std::chrono::milliseconds poll_interval = std::chrono::seconds(1))
      : where_(std::move(connection)), poll_interval_(poll_interval) {}
  LeaseStore(const LeaseStore&) = delete;
  LeaseStore& operator=(const LeaseStore&) = delete;

  Result<void> create_schema(const Context& context) {
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

  Result<void> create(const Context& context, std::string_view id) {
    if (auto fine = check(id); !fine) return fine;
    return done(ask(context, "INSERT INTO leased_promise (id) VALUES ($1) ON CONFLICT DO NOTHING",
                    {Bytes{id}}));
  }

  Result<std::optional<Lease>> claim(const Context& context, std::string_view worker,
                                     std::chrono::milliseconds ttl) {
    if (auto fine = check(ttl); !fine) return std::unexpected(fine.error());
    return transact<std::optional<Lease>>(
        context, [&](Postgres& connection) -> Result<std::optional<Lease>> {
          auto free = connection.query(context, R"(
            SELECT id, token + 1 FROM leased_promise
            WHERE state = 'pending' AND coalesce(leased_until <= clock_timestamp(), true)
            ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED)");
          if (!free) return std::unexpected(free.error());
          if (free->empty()) return std::nullopt;
          Lease lease{free->bytes(0, 0), free->number(0, 1)};
          const auto taken = connection.query(context, R"(
            UPDATE leased_promise SET token = $2, worker = $3,
              leased_until = clock_timestamp() + make_interval(secs => $4::bigint / 1000.0)
            WHERE id = $1)",
                                              {Bytes{lease.id}, lease.token, worker, ttl.count()});
          if (!taken) return std::unexpected(taken.error());
          return lease;
        });
  }

  Result<void> heartbeat(const Context& context, const Lease& lease,
                         std::chrono::milliseconds ttl) {
    if (auto fine = check(ttl); !fine) return fine;
    return transact<void>(context, [&](Postgres& connection) -> Result<void> {
      const auto row = hold(context, connection, lease.id);
      if (!row) return std::unexpected(row.error());
      if (row->token != lease.token) return std::unexpected(lost(lease, *row));
      if (row->outcome) return std::unexpected(settled_already(lease.id));
      if (!row->on_lease) return std::unexpected(lost(lease, *row));
      return done(connection.query(context, R"(
        UPDATE leased_promise
        SET leased_until = clock_timestamp() + make_interval(secs => $2::bigint / 1000.0)
        WHERE id = $1)",
                                   {Bytes{lease.id}, ttl.count()}));
    });
  }

  Result<void> settle(const Context& context, const Lease& lease,
                      const Result<std::string>& outcome) {
    const auto code = outcome ? std::error_code() : outcome.error().code;
    if (!outcome && category_named(code.category().name()) == nullptr) {
      return std::unexpected(Error{Errc::invalid_argument, "an error code of a foreign category"});
    }
    return transact<void>(context, [&](Postgres& connection) -> Result<void> {
      const auto row = hold(context, connection, lease.id);
      if (!row) return std::unexpected(row.error());
      if (row->token != lease.token) return std::unexpected(lost(lease, *row));
      if (row->outcome && *row->outcome == outcome) return {};
      if (row->outcome) return std::unexpected(settled_already(lease.id));
      if (!row->on_lease) return std::unexpected(lost(lease, *row));
      const auto settled = connection.query(context, R"(
        UPDATE leased_promise SET state = $2, value = $3, error_category = $4, error_code = $5,
          settled_at = clock_timestamp()
        WHERE id = $1)",
                                            {Bytes{lease.id}, outcome ? "resolved" : "rejected",
                                             Bytes{outcome ? *outcome : outcome.error().message},
                                             code.category().name(), std::int64_t{code.value()}});
      if (!settled) return std::unexpected(settled.error());
      return done(connection.query(context, "NOTIFY leased_promise"));
    });
  }

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
    bool on_lease = false;
    std::optional<Result<std::string>> outcome;
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

  template <class T, class Work>
  Result<T> transact(const Context& context, Work work) {
    return persist<T>(context, [&](Postgres& connection) -> Result<T> {
      if (auto begun = connection.query(context, "BEGIN"); !begun) {
        return std::unexpected(begun.error());
      }
      auto result = work(connection);
      if (!result) {
        // Not left to the end of the connection: the lock would be held for a moment longer.
        (void)connection.query(context, "ROLLBACK");
        return result;
      }
      const auto committed = connection.query(context, "COMMIT");
      if (!committed) return std::unexpected(committed.error());
      return result;
    });
  }

  static Result<Row> hold(const Context& context, Postgres& connection, std::string_view id) {
    const auto held = connection.query(
        context, "SELECT FROM leased_promise WHERE id = $1 FOR UPDATE", {Bytes{id}});
    if (!held) return std::unexpected(held.error());
    const auto table = connection.query(context, selection, {Bytes{id}});
    if (!table) return std::unexpected(table.error());
    return read(id, *table);
  }

  template <class T>
  Result<T> persist(const Context& context, const std::function<Result<T>(Postgres&)>& attempt) {
    std::string trouble;  // the server's
    while (true) {
      auto connection = Postgres::connect(context, where_);
      auto result = connection ? attempt(*connection) : std::unexpected(connection.error());

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
      "SELECT state, token, value, error_category, error_code, "
      "coalesce(leased_until > clock_timestamp(), false) FROM leased_promise WHERE id = $1";

  static Result<Row> read(std::string_view id, const PostgresTable& table) {
    if (table.empty()) {
      return std::unexpected(
          Error{Errc::not_found, "there is no promise '" + std::string(id) + "'"});
    }
    Row row{.token = table.number(0, 1), .on_lease = table.text(0, 5) == "t", .outcome = {}};
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

  Result<Row> wait_for_outcome(const Context& context, std::string_view id) {
    const auto table = persist<PostgresTable>(context, [&](Postgres& connection) {
      auto listening = connection.query(context, "LISTEN leased_promise");
      if (!listening) return listening;
      while (true) {
        auto seen = connection.query(context, selection, {Bytes{id}});
        if (!seen || seen->empty() || seen->text(0, 0) != "pending") {
          return seen;
        }
        if (auto heard = connection.notification(context, poll_interval_); !heard) {
          return Result<PostgresTable>(std::unexpected(heard.error()));
        }
      }
    });
    if (!table) return std::unexpected(table.error());
    return read(id, *table);
  }

  const std::string where_;
  const std::chrono::milliseconds poll_interval_;
};

}  // namespace futures
