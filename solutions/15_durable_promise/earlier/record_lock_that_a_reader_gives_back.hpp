// Wrong: locks with fcntl(), whose locks belong to the process; bites when a thread that only looks
// closes the lock file while another one settles: another process gets the lock.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/stat.h>
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

namespace detail {

inline Error io_error(const std::string& what, int number) {
  return Error{Errc::unavailable, what + ": " + std::generic_category().message(number)};
}

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int close() { return ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

inline Descriptor open_file(const std::filesystem::path& path, int flags) {
  while (true) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
    if (fd >= 0 || errno != EINTR) return Descriptor(fd);
  }
}

inline bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// The rest of a file; nullopt: errno says why.
inline std::optional<std::string> read_all(int fd) {
  std::string text;
  std::array<char, 4096> buffer;
  while (true) {
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    if (count == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

// A lock between processes, on a file in the folder, and between the threads of this one.
class FolderLock {
 public:
  enum class How { shared, exclusive };

  FolderLock(const std::filesystem::path& folder, How how) {
    // Readers do not exclude each other, and need no turn.
    if (how == How::exclusive) turn_ = std::unique_lock(turns());
    file_ = open_file(folder / lock_name, O_RDWR | O_CREAT);
    struct flock range{};
    range.l_type = how == How::exclusive ? F_WRLCK : F_RDLCK;
    range.l_whence = SEEK_SET;
    while (file_ && (held_ = ::fcntl(file_.get(), F_SETLKW, &range) == 0) == false &&
           errno == EINTR) {
    }
  }
  bool held() const { return held_; }

  static constexpr const char* lock_name = ".lock";

 private:
  static std::mutex& turns() {
    static auto* const mutex = new std::mutex;
    return *mutex;
  }

  std::unique_lock<std::mutex> turn_;  // given back last
  Descriptor file_;                    // closing it ends the lock
  bool held_ = false;
};

// ---- names: lower-case letters, digits, '_' and '-' stay, other bytes become %xx.

inline std::string file_stem(std::string_view id) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string stem;
  for (const char c : id) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (plain) {
      stem += c;
    } else {
      stem += '%';
      stem += digits[byte >> 4];
      stem += digits[byte & 15];
    }
  }
  return stem;
}

inline Result<std::string> file_name(std::string_view id) {
  if (id.empty()) return std::unexpected(Error{Errc::invalid_argument, "an id must not be empty"});
  std::string name = file_stem(id) + ".json";
  if (name.size() > 255) {
    return std::unexpected(
        Error{Errc::invalid_argument, "the id is too long for the name of a file: " + name});
  }
  return name;
}

// ---- records as text

inline bool survives_json(const nlohmann::json& value) {
  try {
    return nlohmann::json::parse(value.dump()) == value;  // NaN would come back as null
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

inline std::span<const std::error_category* const> known_categories() {
  static const std::array<const std::error_category*, 3> known{
      &make_error_code(Errc::cancelled).category(), &std::generic_category(),
      &std::system_category()};
  return known;
}

// Any byte, as two digits: JSON strings are UTF-8, ids need not be.
inline std::string to_hex(std::string_view bytes) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    hex += digits[static_cast<unsigned char>(c) >> 4];
    hex += digits[static_cast<unsigned char>(c) & 15];
  }
  return hex;
}

inline Result<std::string> encode(const PromiseRecord& record) {
  const auto refuse = [](std::string why) {
    return std::unexpected(Error{Errc::invalid_argument, std::move(why)});
  };
  nlohmann::json j = nlohmann::json::object();
  j["id"] = to_hex(record.id);
  j["state"] = static_cast<int>(record.state);
  if (record.state == State::resolved) {
    if (!survives_json(record.value)) return refuse("the value can't be written as JSON");
    j["value"] = record.value;
  }
  if (record.state == State::rejected) {
    if (!record.error) return refuse("rejected, but without an error");
    const auto known = known_categories();
    if (std::ranges::find(known, &record.error->code.category()) == known.end()) {
      return refuse(std::string("an error of an unknown category: ") +
                    record.error->code.category().name());
    }
    j["category"] = record.error->code.category().name();
    j["code"] = record.error->code.value();
    j["message"] = record.error->message;
    if (!survives_json(j["message"])) return refuse("the message is not UTF-8");
  }
  if (record.settled_at) {
    j["settled_at"] = std::chrono::nanoseconds(record.settled_at->time_since_epoch()).count();
  }
  return j.dump() + "\n";
}

inline Result<PromiseRecord> decode(const std::string& text, const std::string& name) {
  const auto corrupt = [&name](const char* why) {
    return std::unexpected(Error{Errc::corrupt, name + ": " + why});
  };
  const auto j = nlohmann::json::parse(text, nullptr, false);
  if (!j.is_object()) return corrupt("no JSON object");
  try {
    PromiseRecord record;
    const auto hex = j.at("id").get<std::string>();
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
      record.id += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    }
    if (to_hex(record.id) != hex || file_stem(record.id) + ".json" != name) {
      return corrupt("belongs to another promise");
    }
    const int state = j.at("state").get<int>();
    if (state < 0 || state > 2) return corrupt("no such state");
    record.state = static_cast<State>(state);
    if (record.state == State::pending) return record;
    record.settled_at = std::chrono::system_clock::time_point(
        std::chrono::duration_cast<std::chrono::system_clock::duration>(
            std::chrono::nanoseconds(j.at("settled_at").get<std::int64_t>())));
    if (record.state == State::resolved) {
      record.value = j.at("value");
      return record;
    }
    const auto category = j.at("category").get<std::string>();
    for (const auto* known : known_categories()) {
      if (category == known->name()) {
        record.error = Error{std::error_code(j.at("code").get<int>(), *known),
                             j.at("message").get<std::string>()};
        return record;
      }
    }
    return corrupt("an error of an unknown category");
  } catch (const std::exception& e) {
    return corrupt(e.what());
  }
}

inline constexpr std::string_view temp_prefix = ".tmp-";

inline bool is_temp(std::string_view name) {
  return name.starts_with(temp_prefix) &&
         name.find_first_not_of("0123456789-", temp_prefix.size()) == name.npos;
}

inline std::string new_temp_name() {
  static std::atomic<std::uint64_t> last{0};
  return std::string(temp_prefix) + std::to_string(::getpid()) + "-" +
         std::to_string(last.fetch_add(1));
}

// Creates the folder, and makes the entries of what it has created last.
inline std::optional<Error> make_folder(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> parents;
  std::error_code problem;
  for (auto at = folder; !at.empty() && !std::filesystem::exists(at, problem);
       at = at.parent_path()) {
    parents.push_back(at.parent_path());
    if (at == at.parent_path()) break;
  }
  std::filesystem::create_directories(folder, problem);
  if (!problem && !std::filesystem::is_directory(folder, problem) && !problem) {
    problem = std::make_error_code(std::errc::not_a_directory);
  }
  if (problem) {
    return Error{Errc::unavailable, folder.string() + ": " + problem.message()};
  }
  for (const auto& parent : parents) {
    if (const auto fd = open_file(parent, O_RDONLY | O_DIRECTORY)) ::fsync(fd.get());
  }
  return std::nullopt;
}

}  // namespace detail

// One JSON file per promise in a folder. Whoever changes something holds a lock on a file in it.
class FileStorage : public Storage {
 public:
  explicit FileStorage(std::filesystem::path folder) {
    std::error_code problem;
    folder_ = std::filesystem::absolute(folder, problem);
    if (problem) folder_ = std::move(folder);
    if (!folder_.has_filename()) folder_ = folder_.parent_path();
    broken_ = detail::make_folder(folder_);
    if (broken_) return;
    const auto dir = open_folder();
    if (!dir) return;  // whoever comes next will say so
    const detail::FolderLock lock(folder_, detail::FolderLock::How::exclusive);
    if (lock.held()) clean_up();
  }

  Result<PromiseRecord> create_if_absent(std::string_view id) override {
    auto there = load(id);
    if (there || there.error().code != Errc::not_found) return there;
    const auto name = detail::file_name(id);
    const auto dir = open_folder();
    if (!dir) return std::unexpected(dir.error());
    const detail::FolderLock lock(folder_, detail::FolderLock::How::exclusive);
    if (!lock.held()) return std::unexpected(trouble(errno));
    there = read(*name);
    if (there || there.error().code != Errc::not_found) return there;
    PromiseRecord record;
    record.id = id;
    const auto text = detail::encode(record);
    if (!text) return std::unexpected(text.error());
    if (auto written = write(dir->get(), *name, *text); !written) {
      return std::unexpected(written.error());
    }
    return record;
  }

  Result<PromiseRecord> settle(PromiseRecord record) override {
    if (record.state == State::pending) {
      return std::unexpected(Error{Errc::invalid_argument, "pending is no outcome"});
    }
    if (!record.settled_at) record.settled_at = std::chrono::system_clock::now();
    const auto name = detail::file_name(record.id);
    if (!name) return std::unexpected(name.error());
    const auto text = detail::encode(record);
    if (!text) return std::unexpected(text.error());
    const auto dir = open_folder();
    if (!dir) return std::unexpected(dir.error());
    const detail::FolderLock lock(folder_, detail::FolderLock::How::exclusive);
    if (!lock.held()) return std::unexpected(trouble(errno));
    auto there = read(*name);
    if (!there && there.error().code != Errc::not_found) return there;
    if (there && there->state != State::pending) {
      // Whoever wrote it may have been killed before it came to this.
      if (::fsync(dir->get()) != 0) return std::unexpected(trouble(errno));
      return there;
    }
    if (auto written = write(dir->get(), *name, *text); !written) {
      return std::unexpected(written.error());
    }
    return record;
  }

  Result<PromiseRecord> load(std::string_view id) override {
    const auto name = detail::file_name(id);
    if (!name) return std::unexpected(name.error());
    if (broken_) return std::unexpected(*broken_);
    auto record = read(*name);
    if (record && record->state != State::pending) {
      // Whoever is writing it holds the lock until it is safe on the disk; nobody hears of it
      // before.
      const auto dir = open_folder();
      if (!dir) return std::unexpected(dir.error());
      const detail::FolderLock lock(folder_, detail::FolderLock::How::shared);
      if (!lock.held() || ::fsync(dir->get()) != 0) return std::unexpected(trouble(errno));
    }
    return record;
  }

  Result<std::vector<PromiseRecord>> all() override {
    const auto dir = open_folder();
    if (!dir) return std::unexpected(dir.error());
    std::vector<PromiseRecord> records;
    std::vector<Error> problems;
    {
      const detail::FolderLock lock(folder_, detail::FolderLock::How::exclusive);
      if (!lock.held()) return std::unexpected(trouble(errno));
      clean_up();
      const auto names = list();
      if (!names) return std::unexpected(names.error());
      for (const auto& name : *names) {
        if (detail::is_temp(name) || name == detail::FolderLock::lock_name) continue;
        if (!name.ends_with(".json")) {
          problems.push_back(Error{Errc::corrupt, name + ": not a file of this storage"});
          continue;
        }
        auto record = read(name);
        if (record) {
          records.push_back(*std::move(record));
        } else if (record.error().code != Errc::not_found) {
          problems.push_back(Error{Errc::corrupt, record.error().message});
        }
      }
      if (::fsync(dir->get()) != 0) return std::unexpected(trouble(errno));
    }
    const std::lock_guard lock(mutex_);
    problems_ = std::move(problems);
    return records;
  }

  std::vector<Error> problems() const override {
    const std::lock_guard lock(mutex_);
    return problems_;
  }

 private:
  Error trouble(int number) const { return detail::io_error(folder_.string(), number); }

  Result<detail::Descriptor> open_folder() const {
    if (broken_) return std::unexpected(*broken_);
    auto dir = detail::open_file(folder_, O_RDONLY | O_DIRECTORY);
    if (!dir) return std::unexpected(trouble(errno));
    return dir;
  }

  Result<PromiseRecord> read(const std::string& name) const {
    // O_NONBLOCK: somebody may have put a pipe there.
    const auto file = detail::open_file(folder_ / name, O_RDONLY | O_NONBLOCK);
    if (!file) {
      const int number = errno;
      if (number == ENOENT && ::access(folder_.c_str(), F_OK) == 0) {
        return std::unexpected(Error{Errc::not_found, name + ": there is no such promise"});
      }
      return std::unexpected(detail::io_error(name, number));
    }
    struct stat status{};
    if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
      return std::unexpected(Error{Errc::corrupt, name + ": not a file"});
    }
    const auto text = detail::read_all(file.get());
    if (!text) return std::unexpected(detail::io_error(name, errno));
    return detail::decode(*text, name);
  }

  // With the folder locked.
  Result<void> write(int dir, const std::string& name, const std::string& text) const {
    auto temp = folder_ / detail::new_temp_name();
    auto file = detail::open_file(temp, O_WRONLY | O_CREAT | O_EXCL);
    while (!file && errno == EEXIST) {  // of a process that had our number
      temp = folder_ / detail::new_temp_name();
      file = detail::open_file(temp, O_WRONLY | O_CREAT | O_EXCL);
    }
    if (!file) return std::unexpected(detail::io_error(temp.string(), errno));
    if (!detail::write_all(file.get(), text) || ::fsync(file.get()) != 0 || file.close() != 0 ||
        ::rename(temp.c_str(), (folder_ / name).c_str()) != 0) {
      const int number = errno;
      ::unlink(temp.c_str());
      return std::unexpected(detail::io_error(name, number));
    }
    if (::fsync(dir) != 0) return std::unexpected(trouble(errno));
    return {};
  }

  Result<std::vector<std::string>> list() const {
    std::vector<std::string> names;
    std::error_code problem;
    auto entry = std::filesystem::directory_iterator(folder_, problem);
    for (; !problem && entry != std::filesystem::directory_iterator(); entry.increment(problem)) {
      names.push_back(entry->path().filename().string());
    }
    if (problem) {
      return std::unexpected(Error{Errc::unavailable, folder_.string() + ": " + problem.message()});
    }
    std::ranges::sort(names);
    return names;
  }

  // With the folder locked: nobody who is alive is writing, so the temporary files are of the dead.
  void clean_up() const {
    const auto names = list();
    if (!names) return;
    for (const auto& name : *names) {
      if (detail::is_temp(name)) ::unlink((folder_ / name).c_str());
    }
  }

  std::filesystem::path folder_;
  std::optional<Error> broken_;
  mutable std::mutex mutex_;
  std::vector<Error> problems_;  // guarded by mutex_
};

namespace detail {

// Who settles rings; those who wait in this process, through whatever handle and storage, look.
struct SettleBell {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::uint64_t rings = 0;  // guarded by mutex

  static SettleBell& of(const std::string& id) {
    static auto* const bells = new std::array<SettleBell, 64>;
    return (*bells)[std::hash<std::string>()(id) % bells->size()];
  }
  std::uint64_t count() {
    const std::lock_guard lock(mutex);
    return rings;
  }
  void ring() {
    const std::lock_guard lock(mutex);
    ++rings;
    wake.notify_all();
  }
  // Until somebody has rung, the time is over or the context has ended.
  bool wait(const Context& context, std::uint64_t seen, std::chrono::milliseconds time) {
    std::unique_lock lock(mutex);
    return wake.wait_for(lock, context.stop_token(), time, [&] { return rings != seen; });
  }
};

}  // namespace detail

template <class T>
class DurablePromise;
template <class T>
Result<std::vector<DurablePromise<T>>> recover_all(Storage& storage);

// A handle on a promise in a storage.
template <class T>
class DurablePromise {
 public:
  static Result<DurablePromise> open(Storage& storage, std::string id) {
    if (auto record = storage.create_if_absent(id); !record) {
      return std::unexpected(record.error());
    }
    return DurablePromise(storage, std::move(id));
  }

  Result<void> resolve(T value) {
    PromiseRecord record;
    try {
      record.value = nlohmann::json(std::move(value));
    } catch (const std::exception& e) {
      return std::unexpected(Error{Errc::invalid_argument, e.what()});
    }
    if (!detail::survives_json(record.value)) {
      return std::unexpected(
          Error{Errc::invalid_argument, "the value can't be written as JSON without loss"});
    }
    record.state = State::resolved;
    return settle(std::move(record));
  }

  Result<void> reject(Error error) {
    PromiseRecord record;
    record.state = State::rejected;
    record.error = std::move(error);
    return settle(std::move(record));
  }

  Result<T> await(const Context& context) const {
    auto& bell = detail::SettleBell::of(id_);
    std::chrono::milliseconds pause{2};
    while (true) {
      const bool ended = context.done();
      const auto seen = bell.count();
      const auto record = storage_->load(id_);
      if (!record) return std::unexpected(record.error());
      if (record->state != State::pending) return outcome(*record);
      if (ended) return std::unexpected(*context.error());
      bell.wait(context, seen, pause);
      pause = std::min(2 * pause, std::chrono::milliseconds(32));
    }
  }

  State state() const {
    const auto record = storage_->load(id_);
    return record ? record->state : State::pending;
  }

 private:
  friend Result<std::vector<DurablePromise>> recover_all<T>(Storage& storage);
  DurablePromise(Storage& storage, std::string id) : storage_(&storage), id_(std::move(id)) {}

  Result<void> settle(PromiseRecord record) {
    record.id = id_;
    record.settled_at = std::chrono::system_clock::now();
    const auto stands = storage_->settle(record);
    if (!stands) return std::unexpected(stands.error());
    detail::SettleBell::of(id_).ring();
    const bool same = stands->state == record.state &&
                      (record.state == State::resolved ? stands->value == record.value
                                                       : stands->error == record.error);
    if (same) return {};
    return std::unexpected(
        Error{Errc::already_settled, "'" + id_ + "' was settled with another outcome"});
  }

  static Result<T> outcome(const PromiseRecord& record) {
    if (record.state == State::rejected) {
      return std::unexpected(
          record.error.value_or(Error{Errc::corrupt, "rejected, nobody knows why"}));
    }
    try {
      return record.value.template get<T>();
    } catch (const std::exception& e) {
      return std::unexpected(Error{Errc::corrupt, e.what()});
    }
  }

  Storage* storage_;
  std::string id_;
};

template <class T>
Result<std::vector<DurablePromise<T>>> recover_all(Storage& storage) {
  const auto records = storage.all();
  if (!records) return std::unexpected(records.error());
  std::vector<DurablePromise<T>> promises;
  for (const auto& record : *records) promises.push_back(DurablePromise<T>(storage, record.id));
  return promises;
}

}  // namespace futures
