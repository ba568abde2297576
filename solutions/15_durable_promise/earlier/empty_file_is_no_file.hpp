// A file without a byte counts as no promise: what a crash left behind is replaced without a word.
#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

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

namespace durable {

using nlohmann::json;

inline std::unexpected<Error> failed(std::string what, int number = errno) {
  return std::unexpected(
      Error{Errc::unavailable, std::move(what) + ": " + std::generic_category().message(number)});
}

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};

// The value as it will come back from the disk, or why it will not.
inline Result<json> as_stored(const json& value) {
  try {
    auto back = json::parse(value.dump());
    if (back == value) return back;
  } catch (const json::exception& e) {
    return std::unexpected(Error{Errc::invalid_argument, std::string("not JSON: ") + e.what()});
  }
  return std::unexpected(
      Error{Errc::invalid_argument, "the value can't be written as JSON without loss (NaN?)"});
}

// nlohmann's == takes 1 for 1.0 and -1 for 2^64 - 1.
inline bool same(const json& a, const json& b) {
  if (a.type() != b.type()) return false;
  if (a.is_array() || a.is_object()) {
    if (a.size() != b.size()) return false;
    for (auto i = a.begin(), j = b.begin(); i != a.end(); ++i, ++j) {
      if (a.is_object() && i.key() != j.key()) return false;
      if (!same(*i, *j)) return false;
    }
    return true;
  }
  return a == b;
}

inline const std::error_category* category(std::string_view name) {
  for (const auto* known : {&std::error_code(Errc::closed).category(), &std::generic_category(),
                            &std::system_category()}) {
    if (known->name() == name) return known;
  }
  return nullptr;
}

inline Result<void> storable(const Error& error) {
  const auto* known = category(error.code.category().name());
  if (known == nullptr || *known != error.code.category()) {
    return std::unexpected(Error{Errc::invalid_argument, std::string("errors of the category '") +
                                                             error.code.category().name() +
                                                             "' can't be stored"});
  }
  if (auto message = as_stored(error.message); !message) return std::unexpected(message.error());
  return {};
}

inline std::string hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

inline Result<std::string> encode(const PromiseRecord& record) {
  json file{{"format", "durable promise 1"}, {"id", hex(record.id)}};
  switch (record.state) {
    case State::pending:
      file["state"] = "pending";
      break;
    case State::resolved: {
      auto value = as_stored(record.value);
      if (!value) return std::unexpected(value.error());
      file["state"] = "resolved";
      file["value"] = *std::move(value);
      break;
    }
    case State::rejected: {
      if (!record.error)
        return std::unexpected(Error{Errc::invalid_argument, "rejected without an error"});
      if (auto fine = storable(*record.error); !fine) return std::unexpected(fine.error());
      file["state"] = "rejected";
      file["error"] = {{"category", record.error->code.category().name()},
                       {"code", record.error->code.value()},
                       {"message", record.error->message}};
      break;
    }
  }
  if (record.settled_at) {
    file["settled_at_ns"] =
        std::chrono::duration_cast<std::chrono::nanoseconds>(record.settled_at->time_since_epoch())
            .count();
  }
  return file.dump() + "\n";
}

// nullopt: that is no record of this promise.
inline std::optional<PromiseRecord> decode(std::string_view text, std::string_view id) {
  try {
    const auto file = json::parse(text);
    PromiseRecord record;
    record.id = id;
    if (file.at("format") != "durable promise 1" || file.at("id") != hex(id)) return std::nullopt;
    const auto state = file.at("state").get<std::string>();
    if (state == "pending") return record;
    record.settled_at = std::chrono::system_clock::time_point(
        std::chrono::duration_cast<std::chrono::system_clock::duration>(
            std::chrono::nanoseconds(file.at("settled_at_ns").get<std::int64_t>())));
    if (state == "resolved") {
      record.state = State::resolved;
      record.value = file.at("value");
      return record;
    }
    const auto& error = file.at("error");
    const auto* where = category(error.at("category").get<std::string>());
    if (state != "rejected" || where == nullptr) return std::nullopt;
    record.state = State::rejected;
    record.error = Error{std::error_code(error.at("code").get<int>(), *where),
                         error.at("message").get<std::string>()};
    return record;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

// What the handles of this process tell each other: "something was settled, look again".
class Hub {
 public:
  static Hub& instance() {
    static auto* hub = new Hub;  // never destroyed: somebody may still wait while main() returns
    return *hub;
  }
  std::uint64_t seen() {
    const std::lock_guard lock(mutex_);
    return news_;
  }
  void tell() {
    const std::lock_guard lock(mutex_);
    ++news_;
    wake_.notify_all();
  }
  void wait(const Context& context, std::uint64_t seen, std::chrono::milliseconds at_most) {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, context.stop_token(), at_most, [&] { return news_ != seen; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::uint64_t news_ = 0;
};

}  // namespace durable

// One file per promise, named after its id in hex. Who writes holds an exclusive flock() on the
// folder, who reads a shared one: a reader never sees what is not yet synced. The kernel takes the
// lock from a process that is killed.
class FileStorage : public Storage {
 public:
  explicit FileStorage(std::filesystem::path folder) : folder_(std::move(folder)) {
    std::error_code problem;
    std::filesystem::create_directories(folder_, problem);
    // What killed processes left half-written; errors are told by whoever needs the folder.
    if (const auto lock = lock_folder(LOCK_EX)) {
      if (const auto names = list(lock->get())) {
        for (const auto& name : *names) {
          if (is_temporary(name)) ::unlinkat(lock->get(), name.c_str(), 0);
        }
      }
    }
  }

  Result<PromiseRecord> create_if_absent(std::string_view id) override {
    const auto name = file_name(id);
    if (!name) return std::unexpected(name.error());
    const auto lock = lock_folder(LOCK_EX);
    if (!lock) return std::unexpected(lock.error());
    auto standing = read(lock->get(), *name, id);
    if (standing || standing.error().code != Errc::not_found) return standing;
    PromiseRecord fresh;
    fresh.id = id;
    if (auto written = write(lock->get(), *name, fresh); !written) {
      return std::unexpected(written.error());
    }
    return fresh;
  }

  Result<PromiseRecord> settle(PromiseRecord record) override {
    const auto name = file_name(record.id);
    if (!name) return std::unexpected(name.error());
    if (record.state == State::pending) {
      return std::unexpected(Error{Errc::invalid_argument, "pending is no outcome"});
    }
    if (!record.settled_at) record.settled_at = std::chrono::system_clock::now();
    const auto lock = lock_folder(LOCK_EX);
    if (!lock) return std::unexpected(lock.error());
    auto standing = read(lock->get(), *name, record.id);
    if (!standing && standing.error().code != Errc::not_found) return standing;
    if (standing && standing->state != State::pending) return standing;
    if (auto written = write(lock->get(), *name, record); !written) {
      return std::unexpected(written.error());
    }
    return record;
  }

  Result<PromiseRecord> load(std::string_view id) override {
    const auto name = file_name(id);
    if (!name) return std::unexpected(name.error());
    {
      // Awaiters ask often, and what is pending needs no lock: they must not keep writers out.
      const auto open = lock_folder(LOCK_UN);
      if (!open) return std::unexpected(open.error());
      auto record = read(open->get(), *name, id);
      if (!record || record->state == State::pending) return record;
    }
    const auto lock = lock_folder(LOCK_SH);
    if (!lock) return std::unexpected(lock.error());
    return read(lock->get(), *name, id);
  }

  Result<std::vector<PromiseRecord>> all() override {
    const auto lock = lock_folder(LOCK_EX);
    if (!lock) return std::unexpected(lock.error());
    const auto names = list(lock->get());
    if (!names) return std::unexpected(names.error());
    std::vector<PromiseRecord> records;
    std::vector<Error> problems;
    for (const auto& name : *names) {
      if (is_temporary(name)) {
        ::unlinkat(lock->get(), name.c_str(), 0);  // nobody writes now: its writer is dead
        continue;
      }
      const auto id = id_of(name);
      if (!id) {
        problems.push_back(Error{Errc::corrupt, (folder_ / name).string() + " is no promise"});
        continue;
      }
      auto record = read(lock->get(), name, *id);
      if (record) {
        records.push_back(*std::move(record));
      } else {
        problems.push_back(Error{Errc::corrupt, record.error().message});
      }
    }
    const std::lock_guard guard(mutex_);
    problems_ = std::move(problems);
    return records;
  }

  std::vector<Error> problems() const override {
    const std::lock_guard guard(mutex_);
    return problems_;
  }

 private:
  static constexpr std::string_view suffix = ".json";
  static constexpr std::string_view temporary = ".writing-";

  static Result<std::string> file_name(std::string_view id) {
    if (id.empty() || id.size() > 120) {
      return std::unexpected(
          Error{Errc::invalid_argument,
                "an id has 1 to 120 bytes, this one has " + std::to_string(id.size())});
    }
    return durable::hex(id) + std::string(suffix);
  }

  static std::optional<std::string> id_of(std::string_view name) {
    if (!name.ends_with(suffix)) return std::nullopt;
    name.remove_suffix(suffix.size());
    std::string id;
    for (std::size_t i = 0; i + 1 < name.size(); i += 2) {
      const auto digit = [](char c) { return std::string_view("0123456789abcdef").find(c); };
      const auto high = digit(name[i]);
      const auto low = digit(name[i + 1]);
      if (high > 15 || low > 15) return std::nullopt;
      id += static_cast<char>(high << 4 | low);
    }
    if (id.empty() || durable::hex(id) != name) return std::nullopt;
    return id;
  }

  static bool is_temporary(std::string_view name) {
    return name.starts_with(temporary) &&
           name.find_first_not_of("0123456789-", temporary.size()) == name.npos;
  }

  // The folder, locked until the descriptor is closed.
  Result<durable::Fd> lock_folder(int how) const {
    durable::Fd folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder.valid()) return durable::failed("opening the folder " + folder_.string());
    while (::flock(folder.get(), how) != 0) {
      if (errno != EINTR) return durable::failed("locking " + folder_.string());
    }
    return folder;
  }

  Result<std::vector<std::string>> list(int folder) const {
    const int copy = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* entries = copy < 0 ? nullptr : ::fdopendir(copy);
    if (entries == nullptr) return durable::failed("listing " + folder_.string());
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(entries)) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
    }
    ::closedir(entries);
    std::ranges::sort(names);
    return names;
  }

  Result<PromiseRecord> read(int folder, const std::string& name, std::string_view id) const {
    const auto path = (folder_ / name).string();
    const durable::Fd file(
        ::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!file.valid()) {
      if (errno == ENOENT) return std::unexpected(Error{Errc::not_found, "there is no " + path});
      if (errno == ELOOP || errno == ENXIO) {
        return std::unexpected(Error{Errc::corrupt, path + " is no promise"});
      }
      return durable::failed("opening " + path);
    }
    struct stat about{};
    if (::fstat(file.get(), &about) != 0 || !S_ISREG(about.st_mode)) {
      return std::unexpected(Error{Errc::corrupt, path + " is no promise"});
    }
    std::string text;
    char buffer[4096];
    while (true) {
      const auto got = ::read(file.get(), buffer, sizeof buffer);
      if (got == 0) break;
      if (got < 0) {
        if (errno == EINTR) continue;
        return durable::failed("reading " + path);
      }
      text.append(buffer, static_cast<std::size_t>(got));
    }
    if (text.empty()) {  // nothing was ever written
      return std::unexpected(Error{Errc::not_found, path + " is empty"});
    }
    auto record = durable::decode(text, id);
    if (!record) return std::unexpected(Error{Errc::corrupt, path + " is torn or no promise"});
    // Its writer may have died between rename and sync: nobody hears of it before that is made up
    // for.
    if (record->state != State::pending && ::fsync(folder) != 0) {
      return durable::failed("syncing " + folder_.string());
    }
    return *std::move(record);
  }

  // With the exclusive lock held.
  Result<void> write(int folder, const std::string& name, const PromiseRecord& record) const {
    const auto text = durable::encode(record);
    if (!text) return std::unexpected(text.error());
    static std::atomic<std::uint64_t> count{0};
    const auto temp =
        std::string(temporary) + std::to_string(::getpid()) + "-" + std::to_string(++count);
    ::unlinkat(folder, temp.c_str(), 0);  // from a dead process with our number
    durable::Fd file(::openat(folder, temp.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!file.valid()) return durable::failed("creating a file in " + folder_.string());
    const auto give_up = [&](std::string_view what) {
      const int number = errno;
      ::unlinkat(folder, temp.c_str(), 0);
      return durable::failed(std::string(what) + " " + (folder_ / name).string(), number);
    };
    for (std::string_view rest = *text; !rest.empty();) {
      const auto put = ::write(file.get(), rest.data(), rest.size());
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return give_up("writing");
      rest.remove_prefix(static_cast<std::size_t>(put));
    }
    if (::fsync(file.get()) != 0) return give_up("syncing");
    if (::renameat(folder, temp.c_str(), folder, name.c_str()) != 0) return give_up("renaming to");
    if (::fsync(folder) != 0) return durable::failed("syncing " + folder_.string());
    return {};
  }

  const std::filesystem::path folder_;
  mutable std::mutex mutex_;
  std::vector<Error> problems_;  // guarded by mutex_
};

template <class T>
class DurablePromise {
 public:
  static Result<DurablePromise> open(Storage& storage, std::string id) {
    if (auto record = storage.create_if_absent(id); !record) return std::unexpected(record.error());
    return DurablePromise(storage, std::move(id));
  }

  Result<void> resolve(T value) {
    PromiseRecord record;
    try {
      auto stored = durable::as_stored(nlohmann::json(value));
      if (!stored) return std::unexpected(stored.error());
      record.value = *std::move(stored);
    } catch (const nlohmann::json::exception& e) {
      return std::unexpected(Error{Errc::invalid_argument, std::string("not JSON: ") + e.what()});
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
    record.state = State::resolved;
    return settle(std::move(record));
  }

  Result<void> reject(Error error) {
    if (auto fine = durable::storable(error); !fine) return fine;
    PromiseRecord record;
    record.error = std::move(error);
    record.state = State::rejected;
    return settle(std::move(record));
  }

  Result<T> await(const Context& context) const {
    while (true) {
      const auto seen = durable::Hub::instance().seen();
      const bool over = context.done();  // before the look: what is there by now counts
      auto record = storage_->load(id_);
      if (!record) return std::unexpected(record.error());
      if (record->state == State::rejected) {
        return std::unexpected(
            record->error.value_or(Error{Errc::corrupt, "rejected without an error"}));
      }
      if (record->state == State::resolved) return value_of(*record);
      if (over) return std::unexpected(*context.error());
      // Handles of this process wake us; other processes can't, so look again soon.
      durable::Hub::instance().wait(context, seen, std::chrono::milliseconds(20));
    }
  }

  State state() const {
    const auto record = storage_->load(id_);
    return record ? record->state : State::pending;
  }

 private:
  template <class U>
  friend Result<std::vector<DurablePromise<U>>> recover_all(Storage& storage);

  DurablePromise(Storage& storage, std::string id) : storage_(&storage), id_(std::move(id)) {}

  Result<void> settle(PromiseRecord record) {
    record.id = id_;
    record.settled_at = std::chrono::system_clock::now();
    const auto standing = storage_->settle(record);
    if (!standing) return std::unexpected(standing.error());
    durable::Hub::instance().tell();  // it is stored; now it may be known
    const bool equal = record.state == State::resolved
                           ? durable::same(stored_form(standing->value), record.value)
                           : standing->error == record.error;
    if (standing->state == record.state && equal) return {};
    return std::unexpected(
        Error{Errc::already_settled, "the promise '" + id_ + "' was settled otherwise"});
  }

  // Other storages may keep 1 as a signed or an unsigned number.
  static nlohmann::json stored_form(const nlohmann::json& value) {
    return durable::as_stored(value).value_or(value);
  }

  static Result<T> value_of(const PromiseRecord& record) {
    try {
      return record.value.template get<T>();
    } catch (const nlohmann::json::exception& e) {
      return std::unexpected(
          Error{Errc::corrupt, "the value of '" + record.id + "' is of another type: " + e.what()});
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  Storage* storage_;
  std::string id_;
};

template <class T>
Result<std::vector<DurablePromise<T>>> recover_all(Storage& storage) {
  auto records = storage.all();
  if (!records) return std::unexpected(records.error());
  std::vector<DurablePromise<T>> handles;
  for (auto& record : *records) {
    handles.push_back(DurablePromise<T>(storage, std::move(record.id)));
  }
  return handles;
}

}  // namespace futures
