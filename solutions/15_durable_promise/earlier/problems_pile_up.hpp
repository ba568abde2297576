// Wrong: all() adds to the list of problems and never starts it anew; bites when one asks twice, or
// has put a file right.
#pragma once

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <dirent.h>
#include <exception>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
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

namespace detail {

// ------------------------------------------------------------------ names

// Lower-case letters, digits, '-' and '_' stand for themselves, any other byte is %xx: whatever the
// id, the name has no '/', no '.', and nothing that differs by case only.
inline Result<std::string> file_stem(std::string_view id) {
  constexpr std::string_view hex = "0123456789abcdef";
  constexpr std::size_t longest = 200;
  if (id.empty()) return std::unexpected(Error{Errc::invalid_argument, "an id must not be empty"});
  std::string stem;
  for (const char c : id) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (plain) {
      stem += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      stem += '%';
      stem += hex[byte >> 4U];
      stem += hex[byte & 15U];
    }
  }
  if (stem.size() > longest) {
    return std::unexpected(Error{Errc::invalid_argument, "an id of " + std::to_string(id.size()) +
                                                             " bytes is too long for a file name"});
  }
  return stem;
}

inline std::optional<std::string> id_from_stem(std::string_view stem) {
  std::string id;
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c - 'a' + 10; };
  for (std::size_t i = 0; i < stem.size(); ++i) {
    if (stem[i] != '%') {
      id += stem[i];
      continue;
    }
    if (i + 2 >= stem.size()) return std::nullopt;
    id += static_cast<char>(digit(stem[i + 1]) * 16 + digit(stem[i + 2]));
    i += 2;
  }
  const auto again = file_stem(id);  // only what file_stem() makes is a name of ours
  if (!again || *again != stem) return std::nullopt;
  return id;
}

// ------------------------------------------------------------------ JSON

// Whether JSON can hold it: no NaN, no infinity, no bytes that are no UTF-8, no binary.
inline bool finite(const nlohmann::json& json) {
  if (json.is_binary() || json.is_discarded()) return false;
  if (json.is_number_float()) return std::isfinite(json.get<double>());
  if (json.is_structured()) {
    for (const auto& part : json) {
      if (!finite(part)) return false;
    }
  }
  return true;
}

inline Result<std::string> dump(const nlohmann::json& json) {
  if (!finite(json)) {
    return std::unexpected(
        Error{Errc::invalid_argument, "JSON can't hold the value: not a finite number, or binary"});
  }
  try {
    return json.dump();
  } catch (const std::exception& e) {
    return std::unexpected(Error{Errc::invalid_argument, e.what()});
  }
}

inline std::string_view state_name(State state) {
  return state == State::pending ? "pending" : state == State::resolved ? "resolved" : "rejected";
}

inline Result<const std::error_category*> category(std::string_view name) {
  for (const auto* known : {&make_error_code(Errc::closed).category(), &std::generic_category(),
                            &std::system_category(), &std::iostream_category()}) {
    if (known->name() == name) return known;
  }
  return std::unexpected(Error{
      Errc::invalid_argument,
      "errors of the category '" + std::string(name) + "' can't be read back by another process"});
}

inline Result<std::string> record_to_text(const PromiseRecord& record, const std::string& stem) {
  nlohmann::json json;
  json["id"] = stem;  // as in the file's name: an id may hold any byte
  json["state"] = state_name(record.state);
  if (record.state != State::pending) {
    json["settled_at_ns"] = std::chrono::nanoseconds(record.settled_at->time_since_epoch()).count();
  }
  if (record.state == State::resolved) json["value"] = record.value;
  if (record.state == State::rejected) {
    const auto known = category(record.error->code.category().name());
    if (!known) return std::unexpected(known.error());
    json["error"] = {{"category", (*known)->name()},
                     {"code", record.error->code.value()},
                     {"message", record.error->message}};
  }
  return dump(json);
}

inline std::optional<PromiseRecord> record_from_text(const std::string& text,
                                                     const std::string& stem, std::string id) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  try {
    if (json.is_discarded() || json.at("id").get<std::string>() != stem) return std::nullopt;
    PromiseRecord record;
    record.id = std::move(id);
    const auto state = json.at("state").get<std::string>();
    if (state == "pending") return record;
    const std::chrono::nanoseconds since_epoch(json.at("settled_at_ns").get<std::int64_t>());
    record.settled_at = std::chrono::system_clock::time_point(
        std::chrono::duration_cast<std::chrono::system_clock::duration>(since_epoch));
    if (state == "resolved") {
      record.state = State::resolved;
      record.value = json.at("value");
      return record;
    }
    if (state != "rejected") return std::nullopt;
    record.state = State::rejected;
    const auto& error = json.at("error");
    const auto known = category(error.at("category").get<std::string>());
    if (!known) return std::nullopt;
    record.error = Error{std::error_code(error.at("code").get<int>(), **known),
                         error.at("message").get<std::string>()};
    return record;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

// ------------------------------------------------------------------ files

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  explicit operator bool() const { return fd_ >= 0; }
  int fd() const { return fd_; }

 private:
  const int fd_;
};

inline Error system_error(const std::string& what, const std::filesystem::path& path) {
  return Error{Errc::unavailable,
               what + " " + path.string() + ": " + std::generic_category().message(errno)};
}

inline Result<void> sync_folder(const std::filesystem::path& folder) {
  const File file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file || ::fsync(file.fd()) != 0) return std::unexpected(system_error("can't sync", folder));
  return {};
}

// The one writer of a folder, among all threads and processes. Ends with its process.
class FolderLock {
 public:
  explicit FolderLock(const std::filesystem::path& file)
      : file_(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
    if (!file_) return;
    int done = 0;
    do {
      done = ::flock(file_.fd(), LOCK_EX);
    } while (done != 0 && errno == EINTR);
    held_ = done == 0;
  }
  // By hand: a process that was forked meanwhile has the file open as well.
  ~FolderLock() {
    if (held_) ::flock(file_.fd(), LOCK_UN);
  }
  explicit operator bool() const { return held_; }

 private:
  File file_;
  bool held_ = false;
};

// ------------------------------------------------------------------ news within the process

// Who waits for an id listens at one of a few boards; whoever settles an id rings its board.
class Board {
 public:
  static Board& of(std::string_view id) {
    static auto* boards = new std::array<Board, 64>;
    return (*boards)[std::hash<std::string_view>()(id) % boards->size()];
  }

  std::uint64_t count() const {
    const std::lock_guard lock(mutex_);
    return count_;
  }
  void ring() {
    {
      const std::lock_guard lock(mutex_);
      ++count_;
    }
    rung_.notify_all();
  }
  // Until it was rung since `seen`, the context has ended, or a little while is over.
  void listen(const Context& context, std::uint64_t seen) {
    constexpr std::chrono::milliseconds other_processes{15};
    std::unique_lock lock(mutex_);
    rung_.wait_for(lock, context.stop_token(), other_processes, [&] { return count_ != seen; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable_any rung_;
  std::uint64_t count_ = 0;  // guarded by mutex_
};

}  // namespace detail

// One JSON file per promise in a folder.
class FileStorage : public Storage {
 public:
  explicit FileStorage(std::filesystem::path folder) : folder_(std::move(folder)) {
    std::error_code problem;
    const bool created = std::filesystem::create_directories(folder_, problem);
    if (problem || !std::filesystem::is_directory(folder_, problem)) {
      unusable_ = Error{Errc::unavailable, "can't use the folder " + folder_.string() + ": " +
                                               (problem ? problem.message() : "not a folder")};
      return;
    }
    if (created) (void)detail::sync_folder(folder_ / "..");
    const detail::FolderLock lock(lock_file());
    if (lock) clean_up();
  }

  Result<PromiseRecord> create_if_absent(std::string_view id) override {
    const auto stem = stem_of(id);
    if (!stem) return std::unexpected(stem.error());
    auto standing = read(*stem, std::string(id));
    if (standing || standing.error().code != Errc::not_found) return standing;
    const detail::FolderLock lock(lock_file());
    if (!lock) return std::unexpected(detail::system_error("can't lock", lock_file()));
    standing = read(*stem, std::string(id));
    if (standing || standing.error().code != Errc::not_found) return standing;
    PromiseRecord record;
    record.id = id;
    if (auto written = write(*stem, record); !written) return std::unexpected(written.error());
    return record;
  }

  Result<PromiseRecord> settle(PromiseRecord record) override {
    const auto stem = stem_of(record.id);
    if (!stem) return std::unexpected(stem.error());
    if (record.state == State::pending || (record.state == State::rejected && !record.error)) {
      return std::unexpected(Error{Errc::invalid_argument, "that is no outcome"});
    }
    if (!record.settled_at) record.settled_at = std::chrono::system_clock::now();
    const detail::FolderLock lock(lock_file());
    if (!lock) return std::unexpected(detail::system_error("can't lock", lock_file()));
    auto standing = read(*stem, record.id);
    if (standing && standing->state != State::pending) return standing;
    if (!standing && standing.error().code != Errc::not_found) return standing;
    if (auto written = write(*stem, record); !written) return std::unexpected(written.error());
    return record;
  }

  Result<PromiseRecord> load(std::string_view id) override {
    const auto stem = stem_of(id);
    if (!stem) return std::unexpected(stem.error());
    return read(*stem, std::string(id));
  }

  Result<std::vector<PromiseRecord>> all() override {
    if (unusable_) return std::unexpected(*unusable_);
    const detail::FolderLock lock(lock_file());
    if (lock) clean_up();
    std::vector<PromiseRecord> records;
    std::error_code failed;
    for (std::filesystem::directory_iterator entry(folder_, failed), end; !failed && entry != end;
         entry.increment(failed)) {
      const auto name = entry->path().filename().string();
      if (name == lock_name || is_temporary(name)) continue;
      std::optional<std::string> id;
      const auto stem = name.ends_with(suffix) ? name.substr(0, name.size() - suffix.size()) : "";
      if (!stem.empty()) id = detail::id_from_stem(stem);
      if (!id) {
        report(name + ": not a promise's file");
        continue;
      }
      auto record = read(stem, *id);
      if (record) {
        records.push_back(*std::move(record));
      } else if (record.error().code != Errc::not_found) {
        report(record.error().message);
      }
    }
    if (failed) {
      return std::unexpected(Error{Errc::unavailable, "can't read the folder " + folder_.string() +
                                                          ": " + failed.message()});
    }
    return records;
  }

  std::vector<Error> problems() const override {
    const std::lock_guard guard(mutex_);
    return problems_;
  }

 private:
  static constexpr std::string_view suffix = ".json";
  static constexpr std::string_view lock_name = ".durable-promises.lock";
  static constexpr std::string_view temporary_start = ".durable-promises.";
  static constexpr std::string_view temporary_end = ".writing";

  std::filesystem::path lock_file() const { return folder_ / lock_name; }

  static bool is_temporary(std::string_view name) {
    return name.starts_with(temporary_start) && name.ends_with(temporary_end);
  }

  Result<std::string> stem_of(std::string_view id) const {
    if (unusable_) return std::unexpected(*unusable_);
    return detail::file_stem(id);
  }

  void report(std::string what) {
    const std::lock_guard guard(mutex_);
    problems_.push_back(Error{Errc::corrupt, std::move(what)});
  }

  // With the folder locked: nobody is writing, so whoever began these is dead.
  void clean_up() const {
    std::error_code ignored;
    std::vector<std::filesystem::path> left;
    for (std::filesystem::directory_iterator entry(folder_, ignored), end; !ignored && entry != end;
         entry.increment(ignored)) {
      if (is_temporary(entry->path().filename().string())) left.push_back(entry->path());
    }
    for (const auto& path : left) ::unlink(path.c_str());
  }

  Result<PromiseRecord> read(const std::string& stem, std::string id) {
    const auto name = stem + std::string(suffix);
    const auto path = folder_ / name;
    // Not to be kept waiting by a stranger's pipe.
    const detail::File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
    if (!file) {
      if (errno == ENOENT) {
        return std::unexpected(Error{Errc::not_found, "there is no promise '" + id + "'"});
      }
      if (errno == ELOOP || errno == ENXIO) {
        return std::unexpected(Error{Errc::corrupt, name + ": not a regular file"});
      }
      return std::unexpected(detail::system_error("can't open", path));
    }
    struct stat about{};
    if (::fstat(file.fd(), &about) != 0) {
      return std::unexpected(detail::system_error("can't look at", path));
    }
    if (!S_ISREG(about.st_mode)) {
      return std::unexpected(Error{Errc::corrupt, name + ": not a regular file"});
    }
    std::string text;
    std::array<char, 4096> part{};
    while (true) {
      const auto size = ::read(file.fd(), part.data(), part.size());
      if (size == 0) break;
      if (size > 0) {
        text.append(part.data(), static_cast<std::size_t>(size));
      } else if (errno != EINTR) {
        return std::unexpected(detail::system_error("can't read", path));
      }
    }
    auto record = detail::record_from_text(text, stem, std::move(id));
    if (!record) {
      return std::unexpected(Error{Errc::corrupt, name + ": torn, or not a promise's record"});
    }
    if (record->state != State::pending) {
      if (auto safe = make_sure(stem); !safe) return std::unexpected(safe.error());
    }
    return *std::move(record);
  }

  // An outcome that another one has renamed into place may not have reached the disk yet: its
  // process may have died before the last step. Nobody hears of it before.
  Result<void> make_sure(const std::string& stem) {
    {
      const std::lock_guard guard(mutex_);
      if (synced_.contains(stem)) return {};
    }
    if (auto synced = detail::sync_folder(folder_); !synced) return synced;
    const std::lock_guard guard(mutex_);
    synced_.insert(stem);
    return {};
  }

  // With the folder locked.
  Result<void> write(const std::string& stem, const PromiseRecord& record) {
    static std::atomic<std::uint64_t> count{0};
    const auto text = detail::record_to_text(record, stem);
    if (!text) return std::unexpected(text.error());
    const auto temporary = folder_ / (std::string(temporary_start) + std::to_string(::getpid()) +
                                      "." + std::to_string(++count) + std::string(temporary_end));
    const auto path = folder_ / (stem + std::string(suffix));
    if (auto written = write_file(temporary, *text); !written) {
      ::unlink(temporary.c_str());
      return written;
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
      const auto error = detail::system_error("can't rename to", path);
      ::unlink(temporary.c_str());
      return std::unexpected(error);
    }
    if (auto synced = detail::sync_folder(folder_); !synced) return synced;
    if (record.state != State::pending) {
      const std::lock_guard guard(mutex_);
      synced_.insert(stem);
    }
    return {};
  }

  static Result<void> write_file(const std::filesystem::path& path, std::string_view text) {
    const detail::File file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!file) return std::unexpected(detail::system_error("can't create", path));
    while (!text.empty()) {
      const auto size = ::write(file.fd(), text.data(), text.size());
      if (size >= 0) {
        text.remove_prefix(static_cast<std::size_t>(size));
      } else if (errno != EINTR) {
        return std::unexpected(detail::system_error("can't write", path));
      }
    }
    if (::fsync(file.fd()) != 0) return std::unexpected(detail::system_error("can't sync", path));
    return {};
  }

  const std::filesystem::path folder_;
  std::optional<Error> unusable_;  // constant after construction
  mutable std::mutex mutex_;
  std::vector<Error> problems_;   // guarded by mutex_, as below
  std::set<std::string> synced_;  // outcomes known to be on the disk
};

template <class T>
class DurablePromise;
template <class T>
Result<std::vector<DurablePromise<T>>> recover_all(Storage& storage);

template <class T>
class DurablePromise {
 public:
  static Result<DurablePromise> open(Storage& storage, std::string id) {
    const auto record = storage.create_if_absent(id);
    if (!record) return std::unexpected(record.error());
    return DurablePromise(storage, std::move(id));
  }

  Result<void> resolve(T value) {
    PromiseRecord record;
    record.state = State::resolved;
    try {
      record.value = value;
    } catch (const nlohmann::json::exception& e) {
      return std::unexpected(Error{Errc::invalid_argument, e.what()});
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
    if (const auto text = detail::dump(record.value); !text) return std::unexpected(text.error());
    return settle(std::move(record));
  }

  Result<void> reject(Error error) {
    if (const auto text = detail::dump(error.message); !text) return std::unexpected(text.error());
    PromiseRecord record;
    record.state = State::rejected;
    record.error = std::move(error);
    return settle(std::move(record));
  }

  Result<T> await(const Context& context) const {
    auto& board = detail::Board::of(id_);
    while (true) {
      // Asked before the storage: what is there by then beats the end.
      const bool ended = context.done();
      const auto seen = board.count();
      const auto record = storage_->load(id_);
      if (!record) return std::unexpected(record.error());
      if (record->state == State::resolved) return value_of(*record);
      if (record->state == State::rejected) return std::unexpected(*record->error);
      if (ended) return std::unexpected(*context.error());
      board.listen(context, seen);
    }
  }

  State state() const {
    const auto record = storage_->load(id_);
    return record ? record->state : State::pending;
  }

 private:
  friend Result<std::vector<DurablePromise>> recover_all<T>(Storage& storage);

  DurablePromise(Storage& storage, std::string id) : storage_(&storage), id_(std::move(id)) {}

  Result<void> settle(PromiseRecord offered) {
    offered.id = id_;
    offered.settled_at = std::chrono::system_clock::now();
    const auto stands = storage_->settle(offered);
    if (!stands) return std::unexpected(stands.error());
    detail::Board::of(id_).ring();
    if (same(offered, *stands)) return {};
    return std::unexpected(
        Error{Errc::already_settled, "the promise '" + id_ + "' was settled otherwise"});
  }

  // By their texts: for JSON's own == a 1 is a 1.0, and big integers are compared as doubles.
  static bool same(const PromiseRecord& a, const PromiseRecord& b) {
    if (a.state != b.state) return false;
    if (a.state == State::rejected) return a.error == b.error;
    return detail::dump(a.value) == detail::dump(b.value);
  }

  static Result<T> value_of(const PromiseRecord& record) {
    try {
      return record.value.template get<T>();
    } catch (const nlohmann::json::exception& e) {
      return std::unexpected(
          Error{Errc::corrupt, "'" + record.id + "' holds another type: " + e.what()});
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
  std::vector<DurablePromise<T>> promises;
  for (auto& record : *records) {
    promises.push_back(DurablePromise<T>(storage, std::move(record.id)));
  }
  return promises;
}

}  // namespace futures
