// Wrong: the temporary files have numbers that each process counts by itself; bites when two
// processes settle two promises at once, each with its own promise's lock.
#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/timer.hpp"

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

struct Fd {
  explicit Fd(int number = -1) : fd(number) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd >= 0) ::close(fd);
  }
  int fd;
};

inline std::unexpected<Error> io_error(const std::string& what) {
  auto why = std::generic_category().message(errno);
  return std::unexpected(Error{Errc::unavailable, what + ": " + why});
}

inline PromiseRecord pending(std::string id) {
  PromiseRecord record;
  record.id = std::move(id);
  return record;
}

inline nlohmann::json error_to_json(const Error& error) {
  return {{"category", error.code.category().name()},
          {"code", error.code.value()},
          {"message", error.message}};
}

inline Error error_from_json(const nlohmann::json& json) {
  const auto category = json.at("category").get<std::string>();
  const auto code = json.at("code").get<int>();
  auto message = json.at("message").get<std::string>();
  if (category == "generic") return {{code, std::generic_category()}, std::move(message)};
  if (category == "system") return {{code, std::system_category()}, std::move(message)};
  if (category == "futures") return {{code, make_error_code({}).category()}, std::move(message)};
  // A category of somebody's own: its number means nothing here, its words do.
  return {Errc::exception, std::move(message)};
}

// What a value is once it has been written and read again; throws when it can't be written.
inline nlohmann::json as_stored(const nlohmann::json& json) {
  return nlohmann::json::parse(json.dump());
}

inline Error as_stored(const Error& error) {
  constexpr auto replace = nlohmann::json::error_handler_t::replace;
  return error_from_json(nlohmann::json::parse(error_to_json(error).dump(-1, ' ', false, replace)));
}

inline std::string to_text(const PromiseRecord& record) {
  nlohmann::json json = {{"id", record.id}, {"state", "pending"}};
  if (record.state == State::resolved) {
    json["state"] = "resolved";
    json["value"] = record.value;
  } else if (record.state == State::rejected) {
    json["state"] = "rejected";
    json["error"] = error_to_json(*record.error);
  }
  if (record.settled_at) {
    using std::chrono::nanoseconds;
    json["settled_at_ns"] = nanoseconds(record.settled_at->time_since_epoch()).count();
  }
  return json.dump();
}

inline PromiseRecord from_text(const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  auto record = pending(json.at("id").get<std::string>());
  const auto state = json.at("state").get<std::string>();
  if (state == "pending") return record;
  if (state == "resolved") {
    record.state = State::resolved;
    record.value = json.at("value");
  } else if (state == "rejected") {
    record.state = State::rejected;
    record.error = error_from_json(json.at("error"));
  } else {
    throw std::runtime_error("no such state");
  }
  const std::chrono::nanoseconds when(json.at("settled_at_ns").get<std::int64_t>());
  using System = std::chrono::system_clock;
  record.settled_at = System::time_point(std::chrono::duration_cast<System::duration>(when));
  return record;
}

// How often any promise of this process was settled, for those who wait for one.
struct Changes {
  std::mutex mutex;
  std::condition_variable_any more;
  std::uint64_t count = 0;  // guarded by mutex

  static Changes& instance() {
    static auto* changes = new Changes;
    return *changes;
  }
  std::uint64_t seen() {
    const std::lock_guard lock(mutex);
    return count;
  }
  void announce() {
    const std::lock_guard lock(mutex);
    ++count;
    more.notify_all();
  }
  // Now and then without news as well: other processes settle, too, and don't tell.
  void wait(const Context& context, std::uint64_t last) {
    std::unique_lock lock(mutex);
    more.wait_until(lock, context.stop_token(), after(std::chrono::milliseconds(50)),
                    [&] { return count != last; });
  }
};

}  // namespace detail

class FileStorage : public Storage {
 public:
  explicit FileStorage(std::filesystem::path directory) : directory_(std::move(directory)) {
    std::error_code ignored;  // whatever is wrong comes up again at the first use
    if (std::filesystem::create_directories(directory_, ignored)) {
      (void)sync_directory(std::filesystem::absolute(directory_, ignored).parent_path());
    }
  }

  Result<PromiseRecord> create_if_absent(std::string_view id) override {
    return guarded([&]() -> Result<PromiseRecord> {
      const auto lock = lock_id(id);
      if (!lock) return std::unexpected(lock.error());
      auto there = load(id);
      if (there || there.error().code != Errc::not_found) return there;
      return write(detail::pending(std::string(id)));
    });
  }

  Result<PromiseRecord> settle(PromiseRecord record) override {
    return guarded([&]() -> Result<PromiseRecord> {
      if (record.state == State::pending ||
          (record.state == State::rejected) != record.error.has_value()) {
        return std::unexpected(Error{Errc::invalid_argument, "this record settles nothing"});
      }
      const auto lock = lock_id(record.id);
      if (!lock) return std::unexpected(lock.error());
      auto there = load(record.id);
      if (!there) return there;
      if (there->state != State::pending) {
        // Its writer may have been killed just before this step, and our caller may rely on it.
        const auto synced = sync_directory(directory_);
        return synced ? there : std::unexpected(synced.error());
      }
      if (!record.settled_at) record.settled_at = std::chrono::system_clock::now();
      return write(std::move(record));
    });
  }

  Result<PromiseRecord> load(std::string_view id) override {
    return guarded([&]() -> Result<PromiseRecord> {
      const auto name = file_name(id);
      if (name.size() > 250) {
        return std::unexpected(Error{Errc::invalid_argument, "the id is too long for a file"});
      }
      return read(name);
    });
  }

  Result<std::vector<PromiseRecord>> all() override { return scan(nullptr); }

  std::vector<Error> problems() const override {
    std::vector<Error> found;
    if (auto listed = scan(&found); !listed) found.push_back(std::move(listed).error());
    return found;
  }

 private:
  template <class F>
  static Result<PromiseRecord> guarded(F f) {
    try {
      return f();
    } catch (const nlohmann::json::exception& e) {  // text that is not UTF-8, mostly
      return std::unexpected(Error{Errc::invalid_argument, e.what()});
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  // Letters, digits, '-' and '_' stay; all else, '.', '/' and '%' too, becomes %XX.
  static std::string file_name(std::string_view id) {
    std::string name;
    for (const unsigned char c : id) {
      const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         (c >= '0' && c <= '9') || c == '-' || c == '_';
      if (plain) {
        name += static_cast<char>(c);
      } else {
        name += {'%', "0123456789ABCDEF"[c >> 4], "0123456789ABCDEF"[c & 15]};
      }
    }
    return (name.empty() ? "%" : name) + ".json";
  }

  static Error corrupt(const std::string& name, const std::string& why) {
    return Error{Errc::corrupt, name + ": " + why};
  }

  Result<PromiseRecord> read(const std::string& name) const {
    const auto path = directory_ / name;
    const detail::Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
    if (file.fd < 0) {
      if (errno == ENOENT) return std::unexpected(Error{Errc::not_found, name + " does not exist"});
      if (errno == ELOOP) return std::unexpected(corrupt(name, "a symbolic link"));
      return detail::io_error(name);
    }
    struct stat status{};
    if (::fstat(file.fd, &status) != 0) return detail::io_error(name);
    if (!S_ISREG(status.st_mode)) return std::unexpected(corrupt(name, "not a file"));
    std::string text;
    char buffer[4096];
    while (const auto got = ::read(file.fd, buffer, sizeof buffer)) {
      if (got < 0 && errno != EINTR) return detail::io_error(name);
      if (got > 0) text.append(buffer, static_cast<std::size_t>(got));
    }
    try {
      auto record = detail::from_text(text);
      if (file_name(record.id) != name) throw std::runtime_error("holds the promise " + record.id);
      return record;
    } catch (const std::exception& e) {
      return std::unexpected(corrupt(name, e.what()));
    }
  }

  // With the id's lock held.
  Result<PromiseRecord> write(PromiseRecord record) const {
    const auto name = file_name(record.id);
    const auto text = detail::to_text(record);
    static std::atomic<int> count = 0;
    const auto temporary = directory_ / (".tmp-" + std::to_string(++count));
    const auto failed = [&](const std::filesystem::path& what) {
      auto error = detail::io_error(what);
      ::unlink(temporary.c_str());
      return error;
    };
    {
      const detail::Fd file{
          ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644)};
      if (file.fd < 0) return failed(temporary);
      for (std::string_view rest = text; !rest.empty();) {
        const auto written = ::write(file.fd, rest.data(), rest.size());
        if (written < 0 && errno != EINTR) return failed(temporary);
        if (written > 0) rest.remove_prefix(static_cast<std::size_t>(written));
      }
      if (::fsync(file.fd) != 0) return failed(temporary);
    }
    const auto path = directory_ / name;
    if (::rename(temporary.c_str(), path.c_str()) != 0) return failed(name);
    if (auto synced = sync_directory(directory_); !synced) return std::unexpected(synced.error());
    return record;
  }

  static Result<void> sync_directory(const std::filesystem::path& directory) {
    const detail::Fd fd{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (fd.fd < 0 || ::fsync(fd.fd) != 0) return detail::io_error(directory);
    return {};
  }

  // Such a lock belongs to the open file, so it also keeps threads of one process apart; it ends
  // with the process. Two ids that share a byte just wait for each other.
  Result<std::unique_ptr<detail::Fd>> lock_id(std::string_view id) const {
    const auto path = directory_ / ".lock";
    auto file = std::make_unique<detail::Fd>();
    file->fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file->fd < 0) return detail::io_error(path);
    std::uint64_t hash = 14695981039346656037U;  // FNV-1a: the same in every process
    for (const unsigned char c : id) hash = (hash ^ c) * 1099511628211U;
    struct flock byte{};
    byte.l_type = F_WRLCK;
    byte.l_whence = SEEK_SET;
    byte.l_start = static_cast<off_t>(hash & 0x3fffffff);
    byte.l_len = 1;
    while (::fcntl(file->fd, F_OFD_SETLKW, &byte) != 0) {
      if (errno != EINTR) return detail::io_error(path);
    }
    return file;
  }

  Result<std::vector<PromiseRecord>> scan(std::vector<Error>* problems) const {
    std::vector<PromiseRecord> records;
    std::error_code error;
    std::filesystem::directory_iterator entry(directory_, error);
    for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
      const auto name = entry->path().filename().string();
      if (name.starts_with('.')) continue;  // the lock and temporary files
      auto record = name.ends_with(".json") ? read(name)
                                            : std::unexpected(corrupt(name, "no promise of ours"));
      if (record) {
        records.push_back(*std::move(record));
      } else if (problems != nullptr && record.error().code != Errc::not_found) {
        problems->push_back(std::move(record).error());
      }
    }
    if (error) {
      const auto message = directory_.string() + ": " + error.message();
      return std::unexpected(Error{Errc::unavailable, message});
    }
    std::ranges::sort(records, {}, &PromiseRecord::id);
    return records;
  }

  std::filesystem::path directory_;
};

template <class T>
class DurablePromise {
 public:
  static Result<DurablePromise> open(Storage& storage, std::string id) {
    try {
      if (auto record = storage.create_if_absent(id); !record) {
        return std::unexpected(std::move(record).error());
      }
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
    return DurablePromise(storage, std::move(id));
  }

  Result<void> resolve(T value) {
    return settle([&](PromiseRecord& record) {
      record.state = State::resolved;
      record.value = detail::as_stored(nlohmann::json(std::move(value)));
      (void)record.value.template get<T>();  // what can't be read back must not be acknowledged
    });
  }

  Result<void> reject(Error error) {
    return settle([&](PromiseRecord& record) {
      record.state = State::rejected;
      record.error = detail::as_stored(error);
    });
  }

  Result<T> await(const Context& context) const {
    try {
      while (true) {
        const auto seen = detail::Changes::instance().seen();
        const bool ended = context.done();
        auto record = storage_->load(id_);
        if (!record) return std::unexpected(std::move(record).error());
        if (record->state == State::rejected) return std::unexpected(*std::move(record->error));
        if (record->state == State::resolved) return record->value.template get<T>();
        if (ended) return std::unexpected(*context.error());
        detail::Changes::instance().wait(context, seen);
      }
    } catch (const nlohmann::json::exception& e) {
      return std::unexpected(Error{Errc::corrupt, id_ + " holds something else: " + e.what()});
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  State state() const {
    try {
      const auto record = storage_->load(id_);
      return record ? record->state : State::pending;
    } catch (...) {
      return State::pending;
    }
  }

 private:
  template <class U>
  friend Result<std::vector<DurablePromise<U>>> recover_all(Storage& storage);

  DurablePromise(Storage& storage, std::string id) : storage_(&storage), id_(std::move(id)) {}

  template <class Fill>
  Result<void> settle(Fill fill) {
    try {
      auto mine = detail::pending(id_);
      fill(mine);
      mine.settled_at = std::chrono::system_clock::now();
      const auto stands = storage_->settle(mine);
      if (!stands) return std::unexpected(stands.error());
      detail::Changes::instance().announce();
      if (stands->state == mine.state && stands->value == mine.value &&
          stands->error == mine.error) {
        return {};
      }
    } catch (const nlohmann::json::exception& e) {
      return std::unexpected(Error{Errc::invalid_argument, e.what()});
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
    return std::unexpected(Error{Errc::already_settled, id_ + " is settled with another outcome"});
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
