// Stretch 3: promises in a database, which workers in many processes take on lease.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

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

// May be used by many threads at once. Every call is over soon after its context is. A server that
// is away for a while is no error: a call tries again while its context lasts, and then says the
// context's error, with the server's trouble in its words.
//
// Errors of all calls: the context's; Errc::service_error with the server's words when it refuses;
// Errc::invalid_argument for an id that has not 1 to 1000 bytes, or a lease of no time.
class LeaseStore {
 public:
  // `connection` as for Postgres::connect. An awaiter that hears nothing looks again after
  // `poll_interval`. Connects when it is needed, not here.
  explicit LeaseStore(
      [[maybe_unused]] std::string connection,
      [[maybe_unused]] std::chrono::milliseconds poll_interval = std::chrono::seconds(1)) {}
  LeaseStore(const LeaseStore&) = delete;
  LeaseStore& operator=(const LeaseStore&) = delete;

  // Makes the table unless it is there, also when others do the same in this moment.
  Result<void> create_schema([[maybe_unused]] const Context& context) { not_implemented(); }

  // Makes a pending promise, unless there is one of this name, whatever its state.
  Result<void> create([[maybe_unused]] const Context& context,
                      [[maybe_unused]] std::string_view id) {
    not_implemented();
  }

  // Takes the oldest promise that is pending and not on lease; nullopt: there is none. Does not
  // wait for those that others are just taking.
  Result<std::optional<Lease>> claim([[maybe_unused]] const Context& context,
                                     [[maybe_unused]] std::string_view worker,
                                     [[maybe_unused]] std::chrono::milliseconds ttl) {
    not_implemented();
  }

  // The lease lasts `ttl` from now on, by the database's clock. Errc::lease_lost: it ran out, or
  // somebody else has it; Errc::already_settled: by this lease; Errc::not_found.
  Result<void> heartbeat([[maybe_unused]] const Context& context,
                         [[maybe_unused]] const Lease& lease,
                         [[maybe_unused]] std::chrono::milliseconds ttl) {
    not_implemented();
  }

  // Settles the promise with a value or an error. Succeeds as well when this very lease has settled
  // it with the same outcome before. Errc::lease_lost: it ran out, or somebody else has or had it;
  // Errc::already_settled: by this lease, otherwise; Errc::not_found.
  Result<void> settle([[maybe_unused]] const Context& context, [[maybe_unused]] const Lease& lease,
                      [[maybe_unused]] const Result<std::string>& outcome) {
    not_implemented();
  }

  // Waits until the promise is settled, by whatever process; its value, or its error.
  // Errc::not_found when nobody has created it.
  Result<std::string> await([[maybe_unused]] const Context& context,
                            [[maybe_unused]] std::string_view id) {
    not_implemented();
  }
};

}  // namespace futures
