// Right: file names are base64url, which tells upper from lower case as the file system does.
#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <semaphore>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include "runtime/channel.hpp"
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

inline Error failure(int number, const std::string& what) {
  return Error{Errc::unavailable, what + ": " + std::generic_category().message(number)};
}

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), locked_(std::exchange(other.locked_, false)) {}
  Fd& operator=(Fd&&) = delete;
  ~Fd() {
    if (fd_ < 0) return;
    // Closing alone is not enough: a process that was forked meanwhile has the descriptor, too.
    if (locked_) flock(fd_, LOCK_UN);
    close(fd_);
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

  // Until this object ends, or the process. By a lock of the open file, not of the process: threads
  // exclude each other as processes do.
  bool lock(int how = LOCK_EX) {
    while (flock(fd_, how) != 0) {
      if (errno != EINTR) return false;
    }
    return locked_ = true;
  }

 private:
  int fd_;
  bool locked_ = false;
};

// -- what JSON can hold

// Whether a JSON value is the same after writing and reading it.
inline bool same_json(const nlohmann::json& a, const nlohmann::json& b) {
  if (a.is_number_float() && b.is_number_float()) {
    return a.get<double>() == b.get<double>();
  }
  if (a.is_array() && b.is_array()) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), same_json);
  }
  if (a.is_object() && b.is_object()) {
    if (a.size() != b.size()) return false;
    for (auto x = a.begin(), y = b.begin(); x != a.end(); ++x, ++y) {
      if (x.key() != y.key() || !same_json(x.value(), y.value())) return false;
    }
    return true;
  }
  if (a.is_structured() || b.is_structured() || a.is_binary() || b.is_binary()) return false;
  if (a.is_number_integer() != b.is_number_integer()) return false;
  if (!a.is_number_integer() && a.type() != b.type()) return false;  // NaN is written as null
  return a.dump() == b.dump();  // exact for integers of either signedness
}

// Errc::invalid_argument when something would get lost: NaN, text that is no UTF-8, binary data.
inline Result<std::string> write_json(const nlohmann::json& json) {
  try {
    std::string text = json.dump(1);
    if (same_json(nlohmann::json::parse(text), json)) return text;
    return std::unexpected(
        Error{Errc::invalid_argument, "JSON can't hold this without loss: " + text.substr(0, 200)});
  } catch (const std::exception& e) {
    return std::unexpected(
        Error{Errc::invalid_argument, std::string("JSON can't hold this: ") + e.what()});
  }
}

inline const std::error_category* find_category(std::string_view name) {
  static const std::error_code futures_code = make_error_code(Errc::cancelled);
  for (const auto* category : {&futures_code.category(), &std::generic_category(),
                               &std::system_category(), &std::iostream_category()}) {
    if (category->name() == name) return category;
  }
  return nullptr;
}

inline const char* state_name(State state) {
  return state == State::pending ? "pending" : state == State::resolved ? "resolved" : "rejected";
}

inline Result<std::string> write_record(const PromiseRecord& record) {
  nlohmann::json json{{"id", record.id}, {"state", state_name(record.state)}};
  if (record.state == State::resolved) json["value"] = record.value;
  if (record.state == State::rejected) {
    if (!record.error ||
        find_category(record.error->code.category().name()) != &record.error->code.category()) {
      return std::unexpected(
          Error{Errc::invalid_argument, "an error of this category can't be written down"});
    }
    json["error"] = {{"category", record.error->code.category().name()},
                     {"code", record.error->code.value()},
                     {"message", record.error->message}};
  }
  if (record.settled_at) {
    json["settled_at_ns"] =
        std::chrono::duration_cast<std::chrono::nanoseconds>(record.settled_at->time_since_epoch())
            .count();
  }
  return write_json(json);
}

// Throws when the text is no record.
inline PromiseRecord read_record(const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  PromiseRecord record;
  record.id = json.at("id").get<std::string>();
  const auto state = json.at("state").get<std::string>();
  if (state == "pending") return record;
  if (state == "resolved") {
    record.state = State::resolved;
    record.value = json.at("value");
  } else if (state == "rejected") {
    record.state = State::rejected;
    const auto& error = json.at("error");
    const auto* category = find_category(error.at("category").get<std::string>());
    if (category == nullptr) throw std::runtime_error("unknown category of an error");
    record.error = Error{std::error_code(error.at("code").get<int>(), *category),
                         error.at("message").get<std::string>()};
  } else {
    throw std::runtime_error("unknown state");
  }
  record.settled_at = std::chrono::system_clock::time_point(
      std::chrono::duration_cast<std::chrono::system_clock::duration>(
          std::chrono::nanoseconds(json.at("settled_at_ns").get<std::int64_t>())));
  return record;
}

// -- names

inline constexpr std::string_view kSuffix = ".json";

// base64url (RFC 4648): any byte, no slash, no dot, shorter than hexadecimal.
inline Result<std::string> file_name(std::string_view id) {
  if (id.empty()) {
    return std::unexpected(Error{Errc::invalid_argument, "the id of a promise can't be empty"});
  }
  static constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string name;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : id) {
    bits = (bits << 8) | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) name += digits[(bits >> (count - 6)) & 63];
  }
  if (count > 0) name += digits[(bits << (6 - count)) & 63];
  name += kSuffix;
  if (name.size() > 255) {
    return std::unexpected(Error{Errc::invalid_argument,
                                 "the id of a promise is too long: " + std::string(id, 0, 40)});
  }
  if (const auto text = write_json(nlohmann::json(std::string(id))); !text) {
    return std::unexpected(Error{Errc::invalid_argument, "the id of a promise must be UTF-8"});
  }
  return name;
}

// Creates it with all that it is in, on the disk, too.
inline void make_folder(const std::filesystem::path& folder, std::error_code& problem) {
  if (std::filesystem::is_directory(folder, problem)) return;
  const auto above = folder.parent_path();
  problem.clear();
  if (above != folder && !above.empty()) make_folder(above, problem);
  if (problem) return;
  std::filesystem::create_directory(folder, problem);
  const Fd fd(open(above.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd) fsync(fd.get());
}

// -- news within the process

// Who waits for which promise. Never destroyed: awaiters may outlive main().
class Lobby {
 public:
  static Lobby& instance() {
    static auto* lobby = new Lobby;
    return *lobby;
  }

  // A place in the lobby, for as long as the object lives.
  class Guest {
   public:
    Guest(Lobby& lobby, const std::string& id) : lobby_(lobby) {
      const std::lock_guard lock(lobby_.mutex_);
      at_ = lobby_.guests_.emplace(id, this);
    }
    ~Guest() {
      const std::lock_guard lock(lobby_.mutex_);
      lobby_.guests_.erase(at_);
    }
    Guest(const Guest&) = delete;
    Guest& operator=(const Guest&) = delete;

    // Until called, or for a while.
    void wait() { called_.try_acquire_for(std::chrono::milliseconds(40)); }
    void call() { called_.release(); }

   private:
    Lobby& lobby_;
    std::multimap<std::string, Guest*>::iterator at_;
    std::counting_semaphore<> called_{0};
  };

  void call(const std::string& id) {
    const std::lock_guard lock(mutex_);  // nobody leaves while being called
    const auto [begin, end] = guests_.equal_range(id);
    for (auto at = begin; at != end; ++at) at->second->call();
  }

 private:
  std::mutex mutex_;
  std::multimap<std::string, Guest*> guests_;  // guarded by mutex_
};

}  // namespace detail

// One JSON file per promise in a folder. No lock for all: whoever settles holds a lock on the very
// file that it is about to replace, whoever creates renames without replacing, and a temporary file
// is locked for as long as its writer lives.
class FileStorage : public Storage {
 public:
  explicit FileStorage(std::filesystem::path folder) {
    std::error_code problem;
    folder_ = std::filesystem::absolute(folder, problem);
    if (!problem) detail::make_folder(folder_, problem);
    if (problem) {
      broken_ = Error{Errc::unavailable, folder_.string() + ": " + problem.message()};
      return;
    }
    if (const auto opened = open_folder()) (void)visit(opened->get(), [](const std::string&) {});
  }

  Result<PromiseRecord> create_if_absent(std::string_view id) override {
    const auto folder = open_folder();
    if (!folder) return std::unexpected(folder.error());
    while (true) {
      auto standing = read(folder->get(), id);
      if (standing || standing.error().code != Errc::not_found) return standing;
      PromiseRecord record;
      record.id = id;
      const auto created = write(folder->get(), record, Replace::no);
      if (!created) return std::unexpected(created.error());
      if (*created) return record;
    }
  }

  Result<PromiseRecord> settle(PromiseRecord record) override {
    if (record.state == State::pending) {
      return std::unexpected(Error{Errc::invalid_argument, "settling as pending"});
    }
    if (!record.settled_at) record.settled_at = std::chrono::system_clock::now();
    const auto name = detail::file_name(record.id);
    if (!name) return std::unexpected(name.error());
    const auto folder = open_folder();
    if (!folder) return std::unexpected(folder.error());
    while (true) {
      auto standing = read_file(folder->get(), *name);
      if (standing && standing->state != State::pending) return standing;
      if (!standing && standing.error().code != Errc::not_found) return standing;
      if (!standing) {
        const auto written = write(folder->get(), record, Replace::no);
        if (!written) return std::unexpected(written.error());
        if (*written) return record;
        continue;
      }
      detail::Fd file(
          openat(folder->get(), name->c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
      if (!file && errno == ENOENT) continue;
      if (!file || !file.lock()) return std::unexpected(detail::failure(errno, *name));
      // Is it still the one, and not one that was replaced while we waited?
      struct stat ours{}, current{};
      if (fstat(file.get(), &ours) != 0 ||
          fstatat(folder->get(), name->c_str(), &current, AT_SYMLINK_NOFOLLOW) != 0 ||
          ours.st_ino != current.st_ino || ours.st_dev != current.st_dev) {
        continue;
      }
      standing = read_file(folder->get(), *name);
      if (!standing || standing->state != State::pending) continue;
      const auto written = write(folder->get(), record, Replace::yes);
      if (!written) return std::unexpected(written.error());
      return record;
    }
  }

  Result<PromiseRecord> load(std::string_view id) override {
    const auto folder = open_folder();
    if (!folder) return std::unexpected(folder.error());
    return read(folder->get(), id);
  }

  Result<std::vector<PromiseRecord>> all() override {
    const auto folder = open_folder();
    if (!folder) return std::unexpected(folder.error());
    std::vector<PromiseRecord> records;
    std::vector<Error> problems;
    const auto visited = visit(folder->get(), [&](const std::string& name) {
      auto record = read_file(folder->get(), name);
      if (record) {
        records.push_back(*std::move(record));
      } else if (record.error().code != Errc::not_found) {
        problems.push_back(Error{Errc::corrupt, record.error().message});
      }
    });
    if (!visited) return std::unexpected(visited.error());
    const std::lock_guard lock(mutex_);
    problems_ = std::move(problems);
    return records;
  }

  std::vector<Error> problems() const override {
    const std::lock_guard lock(mutex_);
    return problems_;
  }

 private:
  enum class Replace : bool { no, yes };

  static constexpr std::string_view kTemporary = "tmp~";  // no promise's name has a '~'

  Result<detail::Fd> open_folder() const {
    if (broken_) return std::unexpected(*broken_);
    detail::Fd fd(open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return std::unexpected(detail::failure(errno, folder_.string()));
    return fd;
  }

  // Calls `see` with the name of every file but the temporary ones; removes those of the dead.
  template <class See>
  Result<void> visit(int folder, See see) const {
    std::set<std::string> names;
    std::error_code problem;
    for (std::filesystem::directory_iterator at(folder_, problem), end; !problem && at != end;
         at.increment(problem)) {
      names.insert(at->path().filename().string());
    }
    if (problem) {
      return std::unexpected(Error{Errc::unavailable, folder_.string() + ": " + problem.message()});
    }
    for (const auto& name : names) {
      if (name.starts_with(kTemporary)) {
        clean(folder, name);
      } else {
        see(name);
      }
    }
    return {};
  }

  static void clean(int folder, const std::string& name) {
    detail::Fd file(openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    // Locked: its writer is alive. A file that has been renamed since is not there by this name.
    if (file && file.lock(LOCK_EX | LOCK_NB)) unlinkat(folder, name.c_str(), 0);
  }

  // A new file that is locked, and its name.
  Result<std::pair<detail::Fd, std::string>> temporary(int folder) const {
    std::random_device random;
    while (true) {
      std::string name(kTemporary);
      for (int i = 0; i < 4; ++i) name += std::to_string(random());
      detail::Fd file(openat(folder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
      if (!file && errno == EEXIST) continue;
      if (!file || !file.lock()) {
        return std::unexpected(detail::failure(errno, "creating " + (folder_ / name).string()));
      }
      struct stat info{};
      // Somebody who cleans up may have been faster with the lock.
      if (fstat(file.get(), &info) == 0 && info.st_nlink > 0) {
        return std::pair(std::move(file), std::move(name));
      }
    }
  }

  Result<PromiseRecord> read(int folder, std::string_view id) const {
    const auto name = detail::file_name(id);
    if (!name) return std::unexpected(name.error());
    return read_file(folder, *name);
  }

  Result<PromiseRecord> read_file(int folder, const std::string& name) const {
    const std::string path = (folder_ / name).string();
    const auto corrupt = [&](const std::string& why) {
      return std::unexpected(Error{Errc::corrupt, path + ": " + why});
    };
    const detail::Fd file(
        openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!file) {
      if (errno == ENOENT)
        return std::unexpected(Error{Errc::not_found, path + ": no such promise"});
      if (errno == ELOOP || errno == ENXIO) return corrupt("not a file");
      return std::unexpected(detail::failure(errno, path));
    }
    struct stat info{};
    if (fstat(file.get(), &info) != 0) return std::unexpected(detail::failure(errno, path));
    if (!S_ISREG(info.st_mode)) return corrupt("not a file");
    std::string text;
    char buffer[16384];
    while (true) {
      const auto got = ::read(file.get(), buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return std::unexpected(detail::failure(errno, path));
      if (got == 0) break;
      text.append(buffer, static_cast<std::size_t>(got));
    }
    PromiseRecord record;
    try {
      record = detail::read_record(text);
    } catch (const std::exception& e) {
      return corrupt(e.what());
    }
    if (detail::file_name(record.id) != name) return corrupt("the record of another promise");
    // It may have been renamed a moment ago by somebody who is killed before syncing the folder.
    if (record.state != State::pending && fsync(folder) != 0) {
      return std::unexpected(detail::failure(errno, folder_.string()));
    }
    return record;
  }

  // False: there is such a file, and it was not to be replaced.
  Result<bool> write(int folder, const PromiseRecord& record, Replace replace) const {
    const auto name = detail::file_name(record.id);
    if (!name) return std::unexpected(name.error());
    const auto text = detail::write_record(record);
    if (!text) return std::unexpected(text.error());
    const auto made = temporary(folder);
    if (!made) return std::unexpected(made.error());
    const auto& [file, temp] = *made;
    const auto fail = [&, &temp = temp](const char* doing) {
      const int number = errno;
      unlinkat(folder, temp.c_str(), 0);
      return std::unexpected(detail::failure(number, doing + (" " + (folder_ / *name).string())));
    };
    for (std::size_t done = 0; done < text->size();) {
      const auto put = ::write(file.get(), text->data() + done, text->size() - done);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return fail("writing");
      done += static_cast<std::size_t>(put);
    }
    if (fsync(file.get()) != 0) return fail("syncing");
    if (replace == Replace::yes) {
      if (renameat(folder, temp.c_str(), folder, name->c_str()) != 0) return fail("renaming");
    } else if (!rename_new(folder, temp.c_str(), name->c_str())) {
      if (errno != EEXIST) return fail("renaming");
      unlinkat(folder, temp.c_str(), 0);
      return false;
    }
    if (fsync(folder) != 0) {
      return std::unexpected(detail::failure(errno, "syncing " + folder_.string()));
    }
    return true;
  }

  static bool rename_new(int folder, const char* from, const char* to) {
    if (renameat2(folder, from, folder, to, RENAME_NOREPLACE) == 0) return true;
    if (errno != EINVAL && errno != ENOSYS) return false;
    // A file system that does not know this: the same in two steps.
    if (linkat(folder, from, folder, to, 0) != 0) return false;
    unlinkat(folder, from, 0);
    return true;
  }

  std::filesystem::path folder_;
  std::optional<Error> broken_;
  mutable std::mutex mutex_;
  std::vector<Error> problems_;  // guarded by mutex_
};

template <class T>
class DurablePromise;
template <class T>
Result<std::vector<DurablePromise<T>>> recover_all(Storage& storage);

template <class T>
class DurablePromise {
 public:
  static Result<DurablePromise> open(Storage& storage, std::string id) {
    if (const auto record = storage.create_if_absent(id); !record) {
      return std::unexpected(record.error());
    }
    return DurablePromise(storage, std::move(id));
  }

  Result<void> resolve(T value) {
    PromiseRecord record;
    record.state = State::resolved;
    try {
      const T& readable = value;
      record.value = nlohmann::json(readable);
    } catch (const std::exception& e) {
      return std::unexpected(Error{Errc::invalid_argument, std::string("no JSON: ") + e.what()});
    }
    return settle(std::move(record));
  }

  Result<void> reject(Error error) {
    PromiseRecord record;
    record.state = State::rejected;
    record.error = std::move(error);
    return settle(std::move(record));
  }

  Result<T> await(const Context& context) const {
    detail::Lobby::Guest guest(detail::Lobby::instance(), id_);
    const auto call = [&guest] { guest.call(); };
    const std::stop_callback on_end(context.stop_token(), call);
    while (true) {
      const bool ended = context.done();  // before the look: what is there beats it
      const auto record = storage_->load(id_);
      if (!record) return std::unexpected(record.error());
      switch (record->state) {
        case State::resolved:
          return value_of(*record);
        case State::rejected:
          return std::unexpected(*record->error);
        case State::pending:
          break;
      }
      if (ended) return std::unexpected(*context.error());
      guest.wait();
    }
  }

  State state() const {
    const auto record = storage_->load(id_);
    return record ? record->state : State::pending;
  }

 private:
  friend Result<std::vector<DurablePromise<T>>> recover_all<T>(Storage& storage);
  DurablePromise(Storage& storage, std::string id) : storage_(&storage), id_(std::move(id)) {}

  Result<void> settle(PromiseRecord record) {
    record.id = id_;
    record.settled_at = std::chrono::system_clock::now();
    if (const auto writable = detail::write_record(record); !writable) {
      return std::unexpected(writable.error());
    }
    const auto standing = storage_->settle(record);
    if (!standing) return std::unexpected(standing.error());
    detail::Lobby::instance().call(id_);
    const bool same = standing->state == record.state && standing->error == record.error &&
                      detail::same_json(standing->value, record.value);
    if (same) return {};
    return std::unexpected(
        Error{Errc::already_settled, "promise '" + id_ + "' has been settled otherwise"});
  }

  static Result<T> value_of(const PromiseRecord& record) {
    try {
      return Result<T>(std::in_place, record.value.get<T>());
    } catch (const std::exception& e) {
      return std::unexpected(Error{
          Errc::corrupt, "promise '" + record.id + "' holds a value of another type: " + e.what()});
    }
  }

  Storage* storage_;
  std::string id_;
};

template <class T>
Result<std::vector<DurablePromise<T>>> recover_all(Storage& storage) {
  auto records = storage.all();
  if (!records) return std::unexpected(records.error());
  std::vector<DurablePromise<T>> promises;
  for (auto& record : *records)
    promises.push_back(DurablePromise<T>(storage, std::move(record.id)));
  return promises;
}

}  // namespace futures
