// Right: locks the promise's own file; plain ids only; every awaiter leaves a channel to be rung.
#pragma once

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "runtime/channel.hpp"
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

inline bool lock_file(int fd, int how) {
  int done;
  do done = ::flock(fd, how);
  while (done != 0 && errno == EINTR);
  return done == 0;
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

// Who waits in this process, by id. Another storage's promise of the same name rings too: awaiters
// look for themselves.
class Bells {
 public:
  static Bells& instance() {
    static auto* bells = new Bells;
    return *bells;
  }

  void ring(const std::string& id) {
    const std::lock_guard lock(mutex_);
    const auto [first, last] = bells_.equal_range(id);
    for (auto it = first; it != last; ++it) it->second.try_send(true);  // full: rung already
  }

  class Bell {
   public:
    explicit Bell(const std::string& id) : Bell(id, make_channel<bool>(1)) {}
    Bell(const Bell&) = delete;
    Bell& operator=(const Bell&) = delete;
    ~Bell() {
      const std::lock_guard lock(instance().mutex_);
      instance().bells_.erase(place_);
    }
    void wait(const Context& context) const { (void)receiver_.receive(context); }

   private:
    Bell(const std::string& id, std::pair<Sender<bool>, Receiver<bool>> ends)
        : receiver_(std::move(ends.second)) {
      const std::lock_guard lock(instance().mutex_);
      place_ = instance().bells_.emplace(id, std::move(ends.first));
    }
    Receiver<bool> receiver_;
    std::multimap<std::string, Sender<bool>>::iterator place_;
  };

 private:
  std::mutex mutex_;
  std::multimap<std::string, Sender<bool>> bells_;  // guarded by mutex_
};

}  // namespace detail

class FileStorage : public Storage {
 public:
  explicit FileStorage(std::filesystem::path directory) : directory_(std::move(directory)) {
    std::error_code ignored;
    std::filesystem::create_directories(directory_, ignored);
  }

  Result<PromiseRecord> create_if_absent(std::string_view id) override {
    if (auto record = load(id); record || record.error().code != Errc::not_found) return record;
    auto created = write({std::string(id), State::pending, {}, {}, {}}, RENAME_NOREPLACE);
    if (!created && created.error().code == std::errc::file_exists) return load(id);
    return created;
  }

  Result<PromiseRecord> settle(PromiseRecord record) override {
    if (record.state == State::pending || !plain(record.id)) {
      return std::unexpected(Error{Errc::invalid_argument, "no outcome, or no id: " + record.id});
    }
    if (!record.settled_at) record.settled_at = std::chrono::system_clock::now();
    const auto path = path_of(record.id);
    for (;;) {
      const auto file = open_locked(path);
      if (!file) return std::unexpected(file.error());
      // While we waited for the lock somebody may have put another file in its place.
      struct stat locked{}, current{};
      if (::fstat(file->get(), &locked) != 0 || ::stat(path.c_str(), &current) != 0) {
        return detail::io_error("stat", path);
      }
      if (locked.st_ino != current.st_ino || locked.st_dev != current.st_dev) continue;
      auto standing = read(file->get(), path);
      if (!standing || standing->state != State::pending) return load(record.id);
      return write(std::move(record), 0);
    }
  }

  Result<PromiseRecord> load(std::string_view id) override {
    if (!plain(id)) {
      return std::unexpected(Error{Errc::invalid_argument, "not a plain id: " + std::string(id)});
    }
    return load_file(path_of(id));
  }

  Result<std::vector<PromiseRecord>> all() override {
    std::vector<PromiseRecord> records;
    auto found = scan([&](PromiseRecord record) { records.push_back(std::move(record)); });
    if (!found) return std::unexpected(std::move(found).error());
    return records;
  }

  // Looks afresh.
  std::vector<Error> problems() const override {
    auto found = scan([](const PromiseRecord&) {});
    if (!found) return {std::move(found).error()};
    return *std::move(found);
  }

 private:
  static bool plain(std::string_view id) {
    return !id.empty() && id.front() != '.' && id.find('/') == id.npos && id.find('\0') == id.npos;
  }

  std::filesystem::path path_of(std::string_view id) const {
    return directory_ / (std::string(id) + ".json");
  }

  static Result<detail::Fd> open_locked(const std::filesystem::path& path) {
    detail::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) return detail::io_error("open", path);
    if (!detail::lock_file(fd.get(), LOCK_EX)) return detail::io_error("lock", path);
    return fd;
  }

  Result<PromiseRecord> load_file(const std::filesystem::path& path) const {
    const detail::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file) return detail::io_error("open", path);
    auto record = read(file.get(), path);
    // Its writer may not have come to this yet; nobody shall see what a crash could take back.
    if (record && record->state != State::pending) {
      if (auto synced = sync_directory(); !synced) return std::unexpected(synced.error());
    }
    return record;
  }

  Result<void> sync_directory() const {
    const detail::Fd fd(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0) return detail::io_error("sync", directory_);
    return {};
  }

  Result<PromiseRecord> read(int fd, const std::filesystem::path& path) const {
    std::string text;
    if (!detail::read_all(fd, text)) return detail::io_error("read", path);
    try {
      auto record = detail::decode(text);
      if (path_of(record.id) != path) return detail::corrupt(path, "belongs to another id");
      return record;
    } catch (const std::exception& e) {
      return detail::corrupt(path, e.what());
    }
  }

  // Twice: a name that is being replaced may hide from one pass, but not from both.
  Result<std::vector<Error>> scan(const std::function<void(PromiseRecord)>& visit) const {
    std::set<std::filesystem::path> paths;
    for (int pass = 0; pass < 2; ++pass) {
      std::error_code failed;
      std::filesystem::directory_iterator it(directory_, failed);
      for (; !failed && it != std::filesystem::directory_iterator(); it.increment(failed)) {
        if (!it->path().filename().string().starts_with(".tmp-")) paths.insert(it->path());
      }
      if (failed) {
        return std::unexpected(Error{failed, directory_.string() + ": " + failed.message()});
      }
    }
    std::vector<Error> problems;
    for (const auto& path : paths) {
      if (auto record = load_file(path)) {
        visit(*std::move(record));
      } else {
        problems.push_back(std::move(record).error());
      }
    }
    return problems;
  }

  Result<PromiseRecord> write(PromiseRecord record, unsigned flags) const {
    const auto path = path_of(record.id);
    std::string text;
    try {
      text = detail::encode(record);
    } catch (const std::exception& e) {  // an id or a value that is no UTF-8
      return std::unexpected(Error{Errc::invalid_argument, e.what()});
    }
    std::random_device random;
    const auto temporary =
        directory_ / (".tmp-" + std::to_string(random()) + "-" + std::to_string(random()));
    const detail::Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!fd) return detail::io_error("create", temporary);
    if (!detail::write_all(fd.get(), text) || ::fsync(fd.get()) != 0 ||
        ::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), flags) != 0) {
      auto error = detail::io_error("write", path);
      ::unlink(temporary.c_str());
      return error;
    }
    if (auto synced = sync_directory(); !synced) return std::unexpected(synced.error());
    return record;
  }

  std::filesystem::path directory_;
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
    const detail::Bells::Bell bell(id_);
    for (;;) {
      const auto record = storage_->load(id_);
      if (!record) return std::unexpected(record.error());
      if (record->state != State::pending) return outcome(*record);
      if (auto ended = context.error()) return std::unexpected(*std::move(ended));
      bell.wait(context);
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
    detail::Bells::instance().ring(id_);
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
