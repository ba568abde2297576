// Right: no lock at all: the first rename onto <id>.settled.json wins; awaiters on an atomic.
#pragma once

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

enum class State : std::uint8_t { pending, resolved, rejected };

struct PromiseRecord {
  std::string id;
  State state = State::pending;
  nlohmann::json value;
  std::optional<Error> error;
  std::optional<std::chrono::system_clock::time_point> settled_at;
};

class Storage {
 public:
  virtual ~Storage() = default;
  virtual Result<PromiseRecord> create_if_absent(std::string_view id) = 0;
  virtual Result<PromiseRecord> settle(PromiseRecord record) = 0;
  virtual Result<PromiseRecord> load(std::string_view id) = 0;
  virtual Result<std::vector<PromiseRecord>> all() = 0;
  virtual std::vector<Error> problems() const { return {}; }
};

namespace detail {

using Ticks = std::chrono::nanoseconds;

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&&) = delete;
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

inline std::unexpected<Error> io_error(const char* what, const std::filesystem::path& path) {
  const std::error_code code(errno, std::generic_category());
  if (code == std::errc::no_such_file_or_directory) {
    return std::unexpected(Error{Errc::not_found, path.string() + ": " + code.message()});
  }
  return std::unexpected(
      Error{code, std::string(what) + " " + path.string() + ": " + code.message()});
}

inline std::unexpected<Error> corrupt(const std::filesystem::path& path, const std::string& why) {
  return std::unexpected(Error{Errc::corrupt, path.string() + ": " + why});
}

inline bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno != EINTR) return false;
    if (n > 0) text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

inline bool read_all(int fd, std::string& text) {
  char buffer[4096];
  for (;;) {
    const auto n = ::read(fd, buffer, sizeof buffer);
    if (n == 0) return true;
    if (n < 0 && errno != EINTR) return false;
    if (n > 0) text.append(buffer, static_cast<std::size_t>(n));
  }
}

// As it will read after a restart: categories that nobody could find again become Errc::exception.
inline Error storable(Error error) {
  const auto& category = error.code.category();
  if (category != make_error_code(Errc::closed).category() && category != std::generic_category() &&
      category != std::system_category()) {
    error.message = std::string(category.name()) + " " + std::to_string(error.code.value()) + ": " +
                    error.message;
    error.code = Errc::exception;
  }
  using Json = nlohmann::json;  // bytes that are no UTF-8 are replaced
  error.message =
      Json::parse(Json(error.message).dump(-1, ' ', false, Json::error_handler_t::replace));
  return error;
}

inline std::string encode(const PromiseRecord& record) {
  nlohmann::json json{{"id", record.id}, {"state", static_cast<int>(record.state)}};
  json["value"] = record.value;
  if (record.error) {
    json["error"] = {{"category", record.error->code.category().name()},
                     {"code", record.error->code.value()},
                     {"message", record.error->message}};
  }
  if (record.settled_at) {
    json["settled_at"] =
        std::chrono::duration_cast<Ticks>(record.settled_at->time_since_epoch()).count();
  }
  return json.dump(2) + "\n";
}

// Throws whatever the JSON library throws when the text is not one of ours.
inline PromiseRecord decode(const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  PromiseRecord record{json.at("id"), State::pending, json.at("value"), {}, {}};
  const int state = json.at("state");
  if (state < 0 || state > 2) throw std::runtime_error("unknown state");
  record.state = static_cast<State>(state);
  if (record.state == State::pending) return record;
  record.settled_at = std::chrono::system_clock::time_point(
      std::chrono::duration_cast<std::chrono::system_clock::duration>(
          Ticks(json.at("settled_at").get<std::int64_t>())));
  if (record.state == State::rejected) {
    const auto& error = json.at("error");
    const std::string category = error.at("category");
    const int code = error.at("code");
    const auto& known = category == "futures"   ? make_error_code(Errc::closed).category()
                        : category == "generic" ? std::generic_category()
                                                : std::system_category();
    record.error = Error{{code, known}, error.at("message")};
  }
  return record;
}

// Letters, digits, - and _ stand for themselves: no name can be a path, hidden, or two things.
inline std::string file_name(std::string_view id) {
  static constexpr char hex[] = "0123456789ABCDEF";
  std::string name;
  for (const char c : id) {
    const auto byte = static_cast<unsigned char>(c);
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
        c == '_') {
      name += c;
    } else {
      name += {'%', hex[byte >> 4], hex[byte & 15]};
    }
  }
  return name;
}

// Counts what may be news to an awaiter: settlements, and contexts that end.
inline std::atomic<std::uint64_t>& news() {
  static auto* count = new std::atomic<std::uint64_t>(0);
  return *count;
}

inline void announce() {
  news().fetch_add(1);
  news().notify_all();
}

}  // namespace detail

// A promise is one file, <id>.pending.json or <id>.settled.json. For a moment, or when a process
// was killed in between, there are both: the settled one counts.
class FileStorage : public Storage {
 public:
  explicit FileStorage(std::filesystem::path directory) : directory_(std::move(directory)) {
    std::error_code ignored;
    std::filesystem::create_directories(directory_, ignored);
  }

  Result<PromiseRecord> create_if_absent(std::string_view id) override {
    if (auto record = load(id); record || record.error().code != Errc::not_found) return record;
    const auto made =
        write({std::string(id), State::pending, {}, {}, {}}, directory_ / pending_name(id));
    if (!made) return std::unexpected(made.error());
    auto record = load(id);
    if (record && record->state != State::pending) {  // made, settled and removed since we looked
      ::unlink((directory_ / pending_name(id)).c_str());
    }
    return record;
  }

  Result<PromiseRecord> settle(PromiseRecord record) override {
    if (record.state == State::pending) {
      return std::unexpected(Error{Errc::invalid_argument, "pending is no outcome"});
    }
    if (!record.settled_at) record.settled_at = std::chrono::system_clock::now();
    auto standing = load(record.id);
    if (!standing || standing->state != State::pending) return standing;
    const auto written = write(record, directory_ / settled_name(record.id));
    if (!written) return std::unexpected(written.error());
    if (*written) ::unlink((directory_ / pending_name(record.id)).c_str());
    return load(record.id);
  }

  Result<PromiseRecord> load(std::string_view id) override {
    const auto settled = directory_ / settled_name(id);
    auto record = read(settled, id);
    if (!record && record.error().code == Errc::not_found) {
      record = read(directory_ / pending_name(id), id);
      // Gone between the two looks: then it was settled, and that is for good.
      if (!record && record.error().code == Errc::not_found) record = read(settled, id);
    }
    // Its writer may not have come to this yet; nobody shall see what a crash could take back.
    if (record && record->state != State::pending) {
      if (auto synced = sync_directory(); !synced) return std::unexpected(synced.error());
    }
    return record;
  }

  Result<std::vector<PromiseRecord>> all() override {
    // Two passes: a promise that changes its name during one of them is found by the other.
    std::set<std::string> names;
    for (int pass = 0; pass < 2; ++pass) {
      std::error_code failed;
      std::filesystem::directory_iterator it(directory_, failed);
      for (; !failed && it != std::filesystem::directory_iterator(); it.increment(failed)) {
        names.insert(it->path().filename().string());
      }
      if (failed) {
        return std::unexpected(Error{failed, directory_.string() + ": " + failed.message()});
      }
    }
    std::vector<PromiseRecord> records;
    std::vector<Error> problems;
    std::set<std::string> seen;
    for (const auto& name : names) {
      if (name.ends_with(".tmp")) continue;
      auto record = read(directory_ / name, std::nullopt);
      if (!record && record.error().code == Errc::not_found) continue;  // settled since
      if (record && name == pending_name(record->id)) record = load(record->id);
      if (!record) {
        problems.push_back(std::move(record).error());
      } else if (seen.insert(record->id).second) {
        records.push_back(*std::move(record));
      }
    }
    if (auto synced = sync_directory(); !synced) return std::unexpected(synced.error());
    const std::lock_guard lock(mutex_);
    problems_ = std::move(problems);
    return records;
  }

  std::vector<Error> problems() const override {
    const std::lock_guard lock(mutex_);
    return problems_;
  }

 private:
  static std::string pending_name(std::string_view id) {
    return detail::file_name(id) + ".pending.json";
  }
  static std::string settled_name(std::string_view id) {
    return detail::file_name(id) + ".settled.json";
  }

  Result<void> sync_directory() const {
    const detail::Fd fd(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0) return detail::io_error("sync", directory_);
    return {};
  }

  Result<PromiseRecord> read(const std::filesystem::path& path,
                             std::optional<std::string_view> id) const {
    const detail::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) return detail::io_error("open", path);
    std::string text;
    if (!detail::read_all(fd.get(), text)) return detail::io_error("read", path);
    try {
      auto record = detail::decode(text);
      const auto name =
          record.state == State::pending ? pending_name(record.id) : settled_name(record.id);
      if ((id && record.id != *id) || path.filename() != name) {
        return detail::corrupt(path, "the name does not fit the content");
      }
      return record;
    } catch (const std::exception& e) {
      return detail::corrupt(path, e.what());
    }
  }

  // False: there was such a file already, and it stays.
  Result<bool> write(const PromiseRecord& record, const std::filesystem::path& path) const {
    std::string text;
    try {
      text = detail::encode(record);
    } catch (const std::exception& e) {  // an id or a value that is no UTF-8
      return std::unexpected(Error{Errc::invalid_argument, e.what()});
    }
    std::random_device random;
    const auto temporary =
        directory_ / (std::to_string(random()) + "-" + std::to_string(random()) + ".tmp");
    const detail::Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!fd) return detail::io_error("create", temporary);
    if (!detail::write_all(fd.get(), text) || ::fsync(fd.get()) != 0 ||
        ::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) != 0) {
      auto error = detail::io_error("write", path);
      ::unlink(temporary.c_str());
      if (error.error().code == std::errc::file_exists) return false;
      return error;
    }
    if (auto synced = sync_directory(); !synced) return std::unexpected(synced.error());
    return true;
  }

  std::filesystem::path directory_;
  mutable std::mutex mutex_;
  std::vector<Error> problems_;  // guarded by mutex_, those of the last all()
};

template <class T>
class DurablePromise {
 public:
  static Result<DurablePromise> open(Storage& storage, std::string id) {
    if (auto record = storage.create_if_absent(id); !record) {
      return std::unexpected(std::move(record).error());
    }
    return DurablePromise(storage, std::move(id));
  }

  Result<void> resolve(T value) {
    PromiseRecord record{id_, State::resolved, {}, {}, {}};
    try {
      record.value = nlohmann::json(std::move(value));
      if (nlohmann::json::parse(record.value.dump()) != record.value) {
        return std::unexpected(
            Error{Errc::invalid_argument, "a value that JSON cannot keep (NaN?) for " + id_});
      }
    } catch (const std::exception& e) {
      return std::unexpected(Error{Errc::invalid_argument, e.what()});
    }
    return settle(std::move(record));
  }

  Result<void> reject(Error error) {
    return settle({id_, State::rejected, {}, detail::storable(std::move(error)), {}});
  }

  Result<T> await(const Context& context) const {
    const std::stop_callback on_end(context.stop_token(), [] { detail::announce(); });
    for (;;) {
      const auto seen = detail::news().load();
      const auto record = storage_->load(id_);
      if (!record) return std::unexpected(record.error());
      if (record->state != State::pending) return outcome(*record);
      if (auto ended = context.error()) return std::unexpected(*std::move(ended));
      detail::news().wait(seen);
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
    record.settled_at = std::chrono::system_clock::now();
    const auto standing = storage_->settle(record);
    detail::announce();
    if (!standing) return std::unexpected(standing.error());
    if (standing->state != record.state || standing->value != record.value ||
        standing->error != record.error) {
      return std::unexpected(Error{Errc::already_settled, id_ + " has another outcome"});
    }
    return {};
  }

  static Result<T> outcome(const PromiseRecord& record) {
    if (record.state == State::rejected) {
      return std::unexpected(record.error.value_or(Error{Errc::corrupt, record.id + ": no error"}));
    }
    try {
      return record.value.template get<T>();
    } catch (const std::exception& e) {
      return std::unexpected(Error{Errc::corrupt, record.id + ": " + e.what()});
    }
  }

  Storage* storage_;
  std::string id_;
};

template <class T>
Result<std::vector<DurablePromise<T>>> recover_all(Storage& storage) {
  auto records = storage.all();
  if (!records) return std::unexpected(std::move(records).error());
  std::vector<DurablePromise<T>> promises;
  for (auto& record : *records) {
    promises.push_back(DurablePromise<T>(storage, std::move(record.id)));
  }
  return promises;
}

}  // namespace futures
