// Task 15: a promise that survives the process that made it.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

// ---------------------------------------------------------------------------- given

enum class State : std::uint8_t { pending, resolved, rejected };

// What is kept of a promise.
struct PromiseRecord {
  std::string id;
  State state = State::pending;
  nlohmann::json value;        // resolved: what it was resolved with
  std::optional<Error> error;  // rejected: why
  std::optional<std::chrono::system_clock::time_point> settled_at;  // unless pending
};

// Where records are kept. Safe to call from many threads at once.
class Storage {
 public:
  virtual ~Storage() = default;

  // The record that stands: a new, pending one when there was none.
  virtual Result<PromiseRecord> create_if_absent(std::string_view id) = 0;

  // pending -> settled, atomically: of many calls, from whatever process, one wins. Returns the
  // record that stands, which is another's when it came first. Once it has returned, the record
  // survives whatever happens to the process.
  virtual Result<PromiseRecord> settle(PromiseRecord record) = 0;

  // Errc::not_found when there is none, Errc::corrupt when it can't be read.
  virtual Result<PromiseRecord> load(std::string_view id) = 0;

  // All that can be read; what could not is in problems().
  virtual Result<std::vector<PromiseRecord>> all() = 0;

  // What the last all() could not read: one Errc::corrupt each, naming the file.
  virtual std::vector<Error> problems() const { return {}; }
};

// ---------------------------------------------------------------------------- yours

// One JSON file per promise in a folder. Any number of FileStorages, threads and processes may use
// the same folder at once. A process may be killed at any point: every promise is then pending or
// whole, and nothing that was acknowledged is lost.
class FileStorage : public Storage {
 public:
  // Creates the folder when it is missing; when that fails, every operation says so.
  explicit FileStorage(std::filesystem::path) {}

  Result<PromiseRecord> create_if_absent(std::string_view) override { not_implemented(); }
  Result<PromiseRecord> settle(PromiseRecord) override { not_implemented(); }
  Result<PromiseRecord> load(std::string_view) override { not_implemented(); }
  Result<std::vector<PromiseRecord>> all() override { not_implemented(); }
  std::vector<Error> problems() const override { not_implemented(); }
};

// A handle on a promise in a storage. Any number of handles, in any number of processes, agree on
// one outcome. Handles are movable; the storage must outlive them. Safe to call from many threads
// at once. T: anything nlohmann-json converts, also move-only.
template <class T>
class DurablePromise {
 public:
  // The promise with this id; creates it, pending, when there is none yet.
  static Result<DurablePromise> open(Storage&, std::string) { not_implemented(); }

  // Success: the promise is resolved with this value, and stays so whatever happens to the process.
  // Resolving again with an equal value succeeds too. Errc::already_settled: it was settled
  // otherwise. Errc::invalid_argument: the value can't be written as JSON without loss. Any other
  // error: it is not known to be stored, and nobody has been told of it.
  Result<void> resolve(T) { not_implemented(); }

  // As resolve(). An equal error is one with the same code and message.
  Result<void> reject(Error) { not_implemented(); }

  // Waits for the outcome, whoever settles: another handle of this process wakes it at once,
  // another process soon. An outcome that was there at the call beats the end of the context.
  Result<T> await(const Context&) const { not_implemented(); }

  // What the storage says now.
  State state() const { not_implemented(); }
};

// A handle on every promise in the storage, so that a restarted process can go on where it was.
// What can't be read does not keep the rest back; storage.problems() names it.
template <class T>
Result<std::vector<DurablePromise<T>>> recover_all(Storage&) {
  not_implemented();
}

}  // namespace futures
