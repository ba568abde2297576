// A thin layer over libpq: connections, statements and notifications that obey a Context. Enough
// that a learner writes the protocol of a leased promise and not the plumbing.
//
// libpq and not libpqxx: only there can a call that waits for the server end with its context.
// https://www.postgresql.org/docs/current/libpq-async.html
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <expected>
#include <initializer_list>
#include <memory>
#include <optional>
#include <poll.h>
#include <postgresql/libpq-fe.h>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "context.hpp"
#include "error.hpp"
#include "socket_waiter.hpp"

namespace futures {

// Any bytes, zeros too: a parameter of type bytea.
struct Bytes {
  std::string_view data;
};

// A parameter of a statement: NULL, a number, a text without zero bytes, or bytes.
using PostgresValue = std::variant<std::nullptr_t, std::int64_t, std::string_view, Bytes>;

// What a statement returned. Rows and columns count from 0.
class PostgresTable {
 public:
  explicit PostgresTable(PGresult* result) : result_(result, PQclear) {}

  int rows() const { return PQntuples(result_.get()); }
  bool empty() const { return rows() == 0; }
  bool is_null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }

  // As psql would show it; empty for NULL.
  std::string text(int row, int column) const {
    return {PQgetvalue(result_.get(), row, column),
            static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
  }
  // Of a column of an integer type; 0 for NULL.
  std::int64_t number(int row, int column) const {
    return std::strtoll(PQgetvalue(result_.get(), row, column), nullptr, 10);
  }
  // Of a column of type bytea.
  std::string bytes(int row, int column) const {
    const auto escaped = text(row, column);
    std::size_t size = 0;
    const std::unique_ptr<unsigned char, void (*)(void*)> data(
        PQunescapeBytea(reinterpret_cast<const unsigned char*>(escaped.c_str()), &size), PQfreemem);
    return {reinterpret_cast<const char*>(data.get()), size};
  }

 private:
  std::shared_ptr<PGresult> result_;
};

// One connection. For one thread at a time: a thread opens its own.
//
// After an Error other than Errc::service_error the connection is broken: an answer may still be on
// its way. Every later call says Errc::unavailable; open a new one.
class Postgres {
 public:
  // `where` as libpq understands it: "host=/tmp/cluster user=me dbname=postgres", or a URL.
  // Errors: Errc::unavailable (nobody listens there, or not yet), or the context's;
  // Errc::invalid_argument when `where` makes no sense.
  static Result<Postgres> connect(const Context& context, const std::string& where) {
    if (context.done()) return std::unexpected(*context.error());
    Postgres postgres(PQconnectStart(where.c_str()));
    auto* connection = postgres.connection_.get();
    if (connection == nullptr) return std::unexpected(Error{Errc::unavailable, "out of memory"});
    if (PQstatus(connection) == CONNECTION_BAD) {
      const bool senseless = PQsocket(connection) < 0 && !is_readable(where);
      return postgres.fail(
          {senseless ? Errc::invalid_argument : Errc::unavailable, postgres.words()});
    }
    const detail::SocketWaiter waiter(context);
    for (auto next = PGRES_POLLING_WRITING; next != PGRES_POLLING_OK;) {
      const short events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT;
      if (auto ready = waiter.wait(PQsocket(connection), events); !ready) {
        return postgres.fail(ready.error());
      }
      next = PQconnectPoll(connection);
      if (next == PGRES_POLLING_FAILED) {
        return postgres.fail({Errc::unavailable, postgres.words()});
      }
    }
    PQsetnonblocking(connection, 1);
    PQsetNoticeProcessor(connection, [](void*, const char*) {}, nullptr);
    return postgres;
  }

  // Carries out one statement, with $1, $2 … for the parameters, in a transaction of its own unless
  // BEGIN was said. Errors: Errc::service_error with the server's own words and sqlstate() (the
  // connection stays good), Errc::unavailable when the connection or the server went away,
  // Errc::invalid_argument for a text with a zero byte, or the context's. After the last but one
  // and the last the statement may have been carried out all the same.
  Result<PostgresTable> query(const Context& context, const std::string& statement,
                              const std::vector<PostgresValue>& parameters = {}) {
    if (context.done()) return std::unexpected(*context.error());
    if (!usable()) return std::unexpected(Error{Errc::unavailable, "the connection is broken"});
    sqlstate_.clear();
    if (auto sent = send(statement, parameters); !sent) return std::unexpected(sent.error());
    const detail::SocketWaiter waiter(context);
    std::optional<PostgresTable> table;
    std::optional<Error> refused;
    while (true) {
      if (auto arrived = receive(waiter); !arrived) return fail(arrived.error());
      auto* result = PQgetResult(connection_.get());
      if (result == nullptr) break;
      table.emplace(result);
      const auto status = PQresultStatus(result);
      if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) continue;
      const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
      sqlstate_ = state == nullptr ? "" : state;
      const bool gone = sqlstate_.empty() || sqlstate_.starts_with("57P");
      refused = Error{gone ? Errc::unavailable : Errc::service_error,
                      trimmed(PQresultErrorMessage(result))};
    }
    if (PQstatus(connection_.get()) == CONNECTION_BAD && !refused) {
      refused = Error{Errc::unavailable, words()};
    }
    if (refused && refused->code == Errc::unavailable) return fail(*refused);
    if (refused) return std::unexpected(*std::move(refused));
    return *std::move(table);
  }

  // The five letters of the last Errc::service_error, see
  // https://www.postgresql.org/docs/current/errcodes-appendix.html
  const std::string& sqlstate() const { return sqlstate_; }

  // Waits for a notification of any channel that this connection listens to; its payload. nullopt:
  // none came within `at_most`. Neither that nor the end of the context breaks the connection.
  // Each notification is returned once.
  Result<std::optional<std::string>> notification(const Context& context, Clock::duration at_most) {
    if (!usable()) return std::unexpected(Error{Errc::unavailable, "the connection is broken"});
    const auto until = detail::after(at_most);
    const detail::SocketWaiter waiter(context);
    while (true) {
      if (PQconsumeInput(connection_.get()) == 0) return fail({Errc::unavailable, words()});
      if (const std::unique_ptr<PGnotify, void (*)(void*)> heard(PQnotifies(connection_.get()),
                                                                 PQfreemem);
          heard) {
        return heard->extra;
      }
      const auto ready = waiter.wait(PQsocket(connection_.get()), POLLIN, until);
      if (!ready) return std::unexpected(ready.error());
      if (*ready == 0) return std::nullopt;
    }
  }

  bool usable() const { return connection_ != nullptr; }

 private:
  struct Free {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };

  explicit Postgres(PGconn* connection) : connection_(connection) {}

  static bool is_readable(const std::string& where) {
    char* problem = nullptr;
    auto* options = PQconninfoParse(where.c_str(), &problem);
    PQfreemem(problem);
    PQconninfoFree(options);
    return options != nullptr;
  }

  static std::string trimmed(std::string text) {
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  }
  std::string words() const { return trimmed(PQerrorMessage(connection_.get())); }

  std::unexpected<Error> fail(Error error) {
    connection_.reset();
    return std::unexpected(std::move(error));
  }

  Result<void> send(const std::string& statement, const std::vector<PostgresValue>& parameters) {
    std::vector<std::string> texts(parameters.size());
    std::vector<const char*> values(parameters.size());
    std::vector<int> sizes(parameters.size());
    std::vector<int> binary(parameters.size());
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (const auto* bytes = std::get_if<Bytes>(&parameters[i])) {
        binary[i] = 1;
        texts[i] = bytes->data;
      } else if (const auto* number = std::get_if<std::int64_t>(&parameters[i])) {
        texts[i] = std::to_string(*number);
      } else if (const auto* text = std::get_if<std::string_view>(&parameters[i])) {
        if (text->contains('\0')) {
          return std::unexpected(Error{Errc::invalid_argument, "a text with a zero byte"});
        }
        texts[i] = *text;
      } else {
        continue;
      }
      values[i] = texts[i].c_str();
      sizes[i] = static_cast<int>(texts[i].size());
    }
    if (PQsendQueryParams(connection_.get(), statement.c_str(), static_cast<int>(values.size()),
                          nullptr, values.data(), sizes.data(), binary.data(), 0) == 0) {
      return fail({Errc::unavailable, words()});
    }
    return {};
  }

  // Sends what is left to send, and waits until PQgetResult has something to say.
  Result<void> receive(const detail::SocketWaiter& waiter) {
    auto* connection = connection_.get();
    while (true) {
      const int unsent = PQflush(connection);
      if (unsent < 0) return std::unexpected(Error{Errc::unavailable, words()});
      if (unsent == 0 && PQisBusy(connection) == 0) return {};
      const auto events = static_cast<short>(unsent == 1 ? POLLIN | POLLOUT : POLLIN);
      const auto ready = waiter.wait(PQsocket(connection), events);
      if (!ready) return std::unexpected(ready.error());
      // A lost connection becomes a result, with what the server said last.
      if ((*ready & ~POLLOUT) != 0 && PQconsumeInput(connection) == 0 &&
          PQisBusy(connection) != 0) {
        return std::unexpected(Error{Errc::unavailable, words()});
      }
    }
  }

  std::unique_ptr<PGconn, Free> connection_;  // null once broken
  std::string sqlstate_;
};

}  // namespace futures
