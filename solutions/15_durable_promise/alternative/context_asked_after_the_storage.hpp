// Right: asks the storage, then the context; the outcome may lose if both come in between.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <dirent.h>
#include <exception>
#include <expected>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <sys/file.h>
#include <system_error>
#include <unistd.h>
#include <utility>
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

namespace detail {

inline Error system_error(const std::string& what, int code = errno) {
  return Error{Errc::unavailable, what + ": " + std::generic_category().message(code)};
}

// A file descriptor that is closed.
class File {
 public:
  File(const std::filesystem::path& path, int flags)
      : descriptor_(open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  File& operator=(File&&) = delete;

  explicit operator bool() const { return descriptor_ >= 0; }
  int get() const { return descriptor_; }

  bool write_all(std::string_view text) const {
    while (!text.empty()) {
      const auto n = write(descriptor_, text.data(), text.size());
      if (n < 0 && errno != EINTR) return false;
      if (n > 0) text.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  std::optional<std::string> read_all() const {
    std::string text;
    char buffer[4096];
    while (true) {
      const auto n = read(descriptor_, buffer, sizeof buffer);
      if (n == 0) return text;
      if (n < 0 && errno != EINTR) return std::nullopt;
      if (n > 0) text.append(buffer, static_cast<std::size_t>(n));
    }
  }

 private:
  int descriptor_;
};

inline constexpr std::string_view state_names[] = {"pending", "resolved", "rejected"};

inline std::string to_text(const PromiseRecord& record) {
  nlohmann::json json{{"id", record.id},
                      {"state", state_names[static_cast<std::size_t>(record.state)]}};
  if (record.state == State::resolved) json["value"] = record.value;
  if (record.error) {
    json["error"] = {{"category", record.error->code.category().name()},
                     {"code", record.error->code.value()},
                     {"message", record.error->message}};
  }
  if (record.settled_at) json["settled_at_ns"] = record.settled_at->time_since_epoch().count();
  return json.dump(2) + "\n";
}

inline Error error_from(const nlohmann::json& json) {
  const auto category = json.at("category").get<std::string>();
  const auto code = json.at("code").get<int>();
  const auto message = json.at("message").get<std::string>();
  if (category == make_error_code(Errc::closed).category().name()) {
    return Error{make_error_code(static_cast<Errc>(code)), message};
  }
  if (category == std::generic_category().name()) {
    return Error{{code, std::generic_category()}, message};
  }
  if (category == std::system_category().name()) {
    return Error{{code, std::system_category()}, message};
  }
  return Error{Errc::exception, message};  // a category that this program does not know
}

// Throws what nlohmann-json throws when the text is torn or was written by somebody else.
inline PromiseRecord from_text(const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  PromiseRecord record;
  record.id = json.at("id").get<std::string>();
  const auto state = json.at("state").get<std::string>();
  while (state_names[static_cast<std::size_t>(record.state)] != state) {
    if (record.state == State::rejected) throw std::runtime_error("no state '" + state + "'");
    record.state = static_cast<State>(static_cast<int>(record.state) + 1);
  }
  if (record.state == State::pending) return record;
  using Time = std::chrono::system_clock::time_point;
  record.settled_at = Time(Time::duration(json.at("settled_at_ns").get<Time::rep>()));
  if (record.state == State::resolved) {
    record.value = json.at("value");
  } else {
    record.error = error_from(json.at("error"));
  }
  return record;
}

// A file name for any id. Letters of both cases must not meet on a case-blind file system, so that
// capitals are written as their codes, like everything else that is not [a-z0-9_-].
inline std::string file_name(std::string_view id) {
  std::string name = "p-";
  for (const char c : id) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    char code[4];
    std::snprintf(code, sizeof code, "%%%02X", static_cast<unsigned char>(c));
    name += plain ? std::string(1, c) : std::string(code);
  }
  return name + ".json";
}

}  // namespace detail

// One JSON file per promise in a folder. Any number of FileStorages, threads and processes may use
// the same folder at once.
//
// Who changes something holds a lock on the folder's ".lock" file, which the system takes back from
// a process that dies. Readers need none: rename() replaces a file in one step.
class FileStorage : public Storage {
 public:
  // Creates the folder when it is missing; when that fails, every operation says so.
  explicit FileStorage(std::filesystem::path folder) : folder_(std::move(folder)) {
    std::error_code ignored;
    std::filesystem::create_directories(folder_, ignored);
    if (const auto lock = locked()) remove_temporaries();
  }

  Result<PromiseRecord> create_if_absent(std::string_view id) override {
    return change(id, [&](Result<PromiseRecord> found) -> Result<PromiseRecord> {
      if (found || found.error().code != Errc::not_found) return found;
      PromiseRecord fresh;
      fresh.id = id;
      return write(std::move(fresh));
    });
  }

  Result<PromiseRecord> settle(PromiseRecord record) override {
    return change(record.id, [&](Result<PromiseRecord> found) -> Result<PromiseRecord> {
      const bool absent = !found && found.error().code == Errc::not_found;
      if (!absent && (!found || found->state != State::pending)) return found;
      return write(record);
    });
  }

  Result<PromiseRecord> load(std::string_view id) override {
    const auto name = checked_name(id);
    if (!name) return std::unexpected(name.error());
    return read(*name);
  }

  Result<std::vector<PromiseRecord>> all() override {
    std::vector<PromiseRecord> records;
    std::vector<Error> problems;
    std::error_code problem;
    for (std::filesystem::directory_iterator it(folder_, problem), end; !problem && it != end;
         it.increment(problem)) {
      const auto name = it->path().filename().string();
      if (name.starts_with('.')) continue;  // the lock, and temporaries, which are nobody's record
      auto record = read(name);
      if (record) {
        records.push_back(*std::move(record));
      } else if (record.error().code != Errc::not_found) {
        problems.push_back(std::move(record.error()));
      }
    }
    if (problem) return std::unexpected(detail::system_error(folder_.string(), problem.value()));
    const std::lock_guard lock(mutex_);
    problems_ = std::move(problems);
    return records;
  }

  std::vector<Error> problems() const override {
    const std::lock_guard lock(mutex_);
    return problems_;
  }

 private:
  static constexpr std::string_view temporary = ".tmp-";

  static Result<std::string> checked_name(std::string_view id) {
    auto name = detail::file_name(id);
    if (name.size() <= 200) return name;
    return std::unexpected(Error{Errc::invalid_argument,
                                 "the id is too long for a file name: '" + std::string(id) + "'"});
  }

  // The folder's lock, held while the returned file is open. Each operation opens the file anew:
  // flock() excludes open files from one another, and so threads as well as processes.
  Result<detail::File> locked() const {
    detail::File lock(folder_ / ".lock", O_RDWR | O_CREAT);
    while (!lock || flock(lock.get(), LOCK_EX) != 0) {
      if (lock && errno == EINTR) continue;
      return std::unexpected(detail::system_error("locking " + (folder_ / ".lock").string()));
    }
    return lock;
  }

  // Calls decide(what is there) with the folder locked.
  template <class Decide>
  Result<PromiseRecord> change(std::string_view id, Decide decide) {
    const auto name = checked_name(id);
    if (!name) return std::unexpected(name.error());
    const auto lock = locked();
    if (!lock) return std::unexpected(lock.error());
    return decide(read(*name));
  }

  // Under the lock nobody is writing: whatever temporary is there was left by a process that died.
  void remove_temporaries() const {
    std::error_code problem;
    for (std::filesystem::directory_iterator it(folder_, problem), end; !problem && it != end;
         it.increment(problem)) {
      if (it->path().filename().string().starts_with(temporary)) unlink(it->path().c_str());
    }
  }

  Result<PromiseRecord> read(const std::string& name) const {
    const auto path = folder_ / name;
    const detail::File file(path, O_RDONLY);
    if (!file && errno == ENOENT) {
      return std::unexpected(Error{Errc::not_found, "there is no " + path.string()});
    }
    const auto text = file ? file.read_all() : std::nullopt;
    if (!text) return std::unexpected(detail::system_error(path.string()));
    try {
      auto record = detail::from_text(*text);
      if (detail::file_name(record.id) == name) return record;
      return std::unexpected(Error{Errc::corrupt, path.string() + " holds the promise '" +
                                                      record.id + "', which belongs elsewhere"});
    } catch (const std::exception& e) {
      return std::unexpected(
          Error{Errc::corrupt, path.string() + " is no whole promise: " + e.what()});
    }
  }

  // With the lock held. The order is the point. Content before name: or the name could survive a
  // crash and the content not. Name before return: or an acknowledged result could be forgotten.
  Result<PromiseRecord> write(PromiseRecord record) const {
    std::string text;
    try {
      text = detail::to_text(record);
    } catch (const std::exception& e) {  // an id or an error message that is no UTF-8
      return std::unexpected(Error{Errc::invalid_argument, e.what()});
    }
    const auto path = folder_ / detail::file_name(record.id);
    const auto temp = folder_ / (std::string(temporary) + detail::file_name(record.id));
    const detail::File file(temp, O_WRONLY | O_CREAT | O_TRUNC);
    const detail::File folder(folder_, O_RDONLY | O_DIRECTORY);
    const bool stored = file && folder && file.write_all(text) && fsync(file.get()) == 0 &&
                        rename(temp.c_str(), path.c_str()) == 0 && fsync(folder.get()) == 0;
    if (stored) return record;
    auto error = detail::system_error("writing " + path.string());
    unlink(temp.c_str());
    return std::unexpected(std::move(error));
  }

  const std::filesystem::path folder_;
  mutable std::mutex mutex_;
  std::vector<Error> problems_;  // guarded by mutex_
};

namespace detail {

// Tells the awaiters of this process that somebody in it has settled an id. A hint only, shared by
// all storages: the truth is what the storage says. Never destroyed, see runtime/spawn.hpp.
class SettledNews {
 public:
  static SettledNews& instance() {
    static auto* news = new SettledNews;
    return *news;
  }

  void publish() {
    const std::lock_guard lock(mutex_);
    ++edition_;
    changed_.notify_all();
  }

  std::uint64_t edition() const {
    const std::lock_guard lock(mutex_);
    return edition_;
  }

  // Until there is a newer edition than `read`, the time is over or the context has ended.
  void wait(const Context& context, std::uint64_t read, Clock::duration at_most) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, context.stop_token(), at_most, [&] { return edition_ != read; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::uint64_t edition_ = 0;  // guarded by mutex_
};

}  // namespace detail

// A handle on a promise in a storage. Any number of handles, in any number of processes, agree on
// one outcome. Handles are movable; the storage must outlive them. Safe to call from many threads
// at once. T: anything nlohmann-json converts, also move-only.
template <class T>
class DurablePromise {
 public:
  // The promise with this id; creates it, pending, when there is none yet.
  static Result<DurablePromise> open(Storage& storage, std::string id) {
    auto record = storage.create_if_absent(id);
    if (!record) return std::unexpected(std::move(record.error()));
    return DurablePromise(storage, std::move(id));
  }

  // Success: the promise is resolved with this value, and stays so whatever happens to the process.
  // Resolving again with an equal value succeeds too. Errc::already_settled: it was settled
  // otherwise. Errc::invalid_argument: the value can't be written as JSON without loss. Any other
  // error: it is not known to be stored, and nobody has been told of it.
  Result<void> resolve(T value) {
    PromiseRecord record;
    try {
      record.value = std::move(value);
      // Invalid UTF-8 throws; what JSON has no word for, such as NaN, would come back as another.
      if (nlohmann::json::parse(record.value.dump()) != record.value) {
        return std::unexpected(
            Error{Errc::invalid_argument, "the value would not survive being written as JSON"});
      }
    } catch (const nlohmann::json::exception& e) {
      return std::unexpected(Error{Errc::invalid_argument, e.what()});
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
    record.state = State::resolved;
    return settle(std::move(record));
  }

  // As resolve(). An equal error is one with the same code and message.
  Result<void> reject(Error error) {
    PromiseRecord record;
    record.error = std::move(error);
    record.state = State::rejected;
    return settle(std::move(record));
  }

  // Waits for the outcome, whoever settles: another handle of this process wakes it at once,
  // another process within the polling interval. An outcome that is there beats the end of the
  // context.
  Result<T> await(const Context& context) const {
    auto& news = detail::SettledNews::instance();
    while (true) {
      // Read before the storage: what is settled after our look is a newer edition.
      const auto edition = news.edition();
      auto record = storage_->load(id_);
      if (!record) return std::unexpected(std::move(record.error()));
      if (record->state == State::resolved) return value_of(*record);
      if (record->state == State::rejected) return std::unexpected(*std::move(record->error));
      if (context.done()) return std::unexpected(*context.error());
      news.wait(context, edition, polling_interval);
    }
  }

  // What the storage says now; pending when it can't be asked.
  State state() const {
    const auto record = storage_->load(id_);
    return record ? record->state : State::pending;
  }

 private:
  // Other processes can't wake us.
  static constexpr auto polling_interval = std::chrono::milliseconds(50);

  DurablePromise(Storage& storage, std::string id) : storage_(&storage), id_(std::move(id)) {}

  Result<void> settle(PromiseRecord record) {
    record.id = id_;
    record.settled_at = std::chrono::system_clock::now();
    const auto stands = storage_->settle(record);
    if (!stands) return std::unexpected(stands.error());
    // After it is stored, never before; and also when another one won: its process may have died
    // before it could tell.
    detail::SettledNews::instance().publish();
    const bool same = stands->state == record.state && stands->value == record.value &&
                      stands->error == record.error;
    if (same) return {};
    return std::unexpected(Error{
        Errc::already_settled,
        "'" + id_ + "' was " + std::string(detail::state_names[static_cast<int>(stands->state)]) +
            " otherwise before"});
  }

  static Result<T> value_of(const PromiseRecord& record) {
    try {
      return record.value.template get<T>();
    } catch (const std::exception& e) {
      return std::unexpected(
          Error{Errc::corrupt, "'" + record.id + "' does not hold what is asked for: " + e.what()});
    }
  }

  Storage* storage_;
  std::string id_;
};

// A handle on every promise in the storage, so that a restarted process can go on where it was.
// What can't be read does not keep the rest back; storage.problems() names it.
template <class T>
Result<std::vector<DurablePromise<T>>> recover_all(Storage& storage) {
  const auto records = storage.all();
  if (!records) return std::unexpected(records.error());
  std::vector<DurablePromise<T>> promises;
  for (const auto& record : *records) {
    auto promise = DurablePromise<T>::open(storage, record.id);
    if (promise) promises.push_back(*std::move(promise));
  }
  return promises;
}

}  // namespace futures
