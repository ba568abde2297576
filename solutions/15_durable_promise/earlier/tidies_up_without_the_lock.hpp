// Wrong: a new storage, and all(), remove the temporary files that they find without taking the
// lock; bites when another thread or process is between its open and its rename just then: its file
// is gone, the rename fails, and a create or a resolve fails although nothing is wrong.
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <filesystem>
#include <future>
#include <ios>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <type_traits>
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

// ---------------------------------------------------------------------------- records as text

namespace detail {

// Whether JSON has a word for each part of it.
inline Result<void> check_representable(const nlohmann::json& json) {
  const auto no = [](std::string why) {
    return std::unexpected(Error{Errc::invalid_argument, "can't be kept as JSON: " + why});
  };
  std::vector<const nlohmann::json*> rest{&json};
  while (!rest.empty()) {
    const auto& part = *rest.back();
    rest.pop_back();
    if (part.is_number_float() && !std::isfinite(part.get<double>())) {
      return no("a number that is not finite");
    }
    if (part.is_binary() || part.is_discarded()) return no("binary data");
    if (part.is_structured()) {
      for (const auto& child : part) rest.push_back(&child);
    }
  }
  try {
    [[maybe_unused]] const auto text = json.dump();  // throws when a text is not UTF-8
  } catch (const std::exception& e) {
    return no(e.what());
  }
  return {};
}

// Equal as values; unlike json's own ==, an integer and a floating point number are compared
// without rounding the former.
inline bool same_json(const nlohmann::json& a, const nlohmann::json& b) {
  const auto exact = [](const nlohmann::json& whole, double number) {
    if (std::trunc(number) != number || std::abs(number) >= 0x1p65) return false;
    if (whole.is_number_unsigned()) {
      return number >= 0 && number < 0x1p64 &&
             static_cast<std::uint64_t>(number) == whole.get<std::uint64_t>();
    }
    return number >= -0x1p63 && number < 0x1p63 &&
           static_cast<std::int64_t>(number) == whole.get<std::int64_t>();
  };
  if (a.is_array() && b.is_array()) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), same_json);
  }
  if (a.is_object() && b.is_object()) {
    if (a.size() != b.size()) return false;
    for (auto x = a.begin(), y = b.begin(); x != a.end(); ++x, ++y) {
      if (x.key() != y.key() || !same_json(x.value(), y.value())) return false;
    }
    return true;
  }
  if (a.is_number_integer() && b.is_number_float()) return exact(a, b.get<double>());
  if (a.is_number_float() && b.is_number_integer()) return exact(b, a.get<double>());
  return a == b;
}

// The kinds of error_codes that can be found again by their name.
inline const std::error_category* error_category_named(std::string_view name) {
  const auto known = std::to_array<const std::error_category*>(
      {&make_error_code(Errc::cancelled).category(), &std::generic_category(),
       &std::system_category(), &std::iostream_category(), &std::future_category()});
  for (const auto* category : known) {
    if (category->name() == name) return category;
  }
  return nullptr;
}

// "p-" and the id, in which all but a-z, 0-9, '-' and '_' is a '%' and two digits.
inline std::string record_name(std::string_view id) {
  std::string name = "p-";
  for (const char c : id) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_') {
      name += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      name += '%';
      name += "0123456789abcdef"[byte >> 4U];
      name += "0123456789abcdef"[byte & 15U];
    }
  }
  return name;
}

// nullopt: no name that record_name() makes.
inline std::optional<std::string> record_id(std::string_view name) {
  if (!name.starts_with("p-")) return std::nullopt;
  std::string id;
  for (std::size_t i = 2; i < name.size(); ++i) {
    if (name[i] != '%') {
      id += name[i];
      continue;
    }
    unsigned byte = 0;
    if (i + 2 >= name.size()) return std::nullopt;
    const auto [end, problem] = std::from_chars(&name[i + 1], &name[i + 1] + 2, byte, 16);
    if (problem != std::errc() || end != &name[i + 1] + 2) return std::nullopt;
    id += static_cast<char>(byte);
    i += 2;
  }
  if (record_name(id) != name) return std::nullopt;
  return id;
}

inline Result<std::string> record_text(const PromiseRecord& record) {
  auto json = nlohmann::json::object();
  json["promise"] = record_name(record.id);  // an id may hold bytes that JSON can't
  json["state"] = record.state == State::pending    ? "pending"
                  : record.state == State::resolved ? "resolved"
                                                    : "rejected";
  if (record.state == State::resolved) json["value"] = record.value;
  if (record.state == State::rejected) {
    const auto error = record.error.value_or(Error{});
    const auto* category = error_category_named(error.code.category().name());
    if (category == nullptr || *category != error.code.category()) {
      return std::unexpected(Error{
          Errc::invalid_argument, std::string("can't be kept as JSON: an error code of the kind ") +
                                      error.code.category().name()});
    }
    json["error"] = {
        {"category", category->name()}, {"code", error.code.value()}, {"message", error.message}};
  }
  if (record.settled_at) {
    json["settled_at"] =
        std::chrono::duration_cast<std::chrono::nanoseconds>(record.settled_at->time_since_epoch())
            .count();
  }
  if (auto good = check_representable(json); !good) return std::unexpected(good.error());
  return json.dump();
}

// nullopt: torn, or written by somebody else.
inline std::optional<PromiseRecord> record_from_text(std::string_view name, std::string_view text) {
  try {
    const auto json = nlohmann::json::parse(text);
    auto id = record_id(name);
    if (!id || json.at("promise").get<std::string>() != name) return std::nullopt;
    PromiseRecord record;
    record.id = *std::move(id);
    const auto state = json.at("state").get<std::string>();
    if (state == "pending") return record;
    record.settled_at = std::chrono::system_clock::time_point(
        std::chrono::duration_cast<std::chrono::system_clock::duration>(
            std::chrono::nanoseconds(json.at("settled_at").get<std::int64_t>())));
    if (state == "resolved") {
      record.state = State::resolved;
      record.value = json.at("value");
      return record;
    }
    const auto& error = json.at("error");
    const auto* category = error_category_named(error.at("category").get<std::string>());
    if (state != "rejected" || category == nullptr) return std::nullopt;
    record.state = State::rejected;
    record.error = Error{std::error_code(error.at("code").get<int>(), *category),
                         error.at("message").get<std::string>()};
    return record;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

// ---------------------------------------------------------------------------- files

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

// Says what errno says.
inline std::unexpected<Error> failed(const std::string& what, int why = errno) {
  return std::unexpected(
      Error{Errc::unavailable, what + ": " + std::generic_category().message(why)});
}

inline bool repeat_fsync(int fd) {
  while (::fsync(fd) != 0) {
    if (errno != EINTR) return false;
  }
  return true;
}

inline bool repeat_flock(int fd, int how) {
  while (::flock(fd, how) != 0) {
    if (errno != EINTR) return false;
  }
  return true;
}

inline Result<void> sync_folder(const std::string& folder) {
  const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened || !repeat_fsync(opened.get())) return failed(folder);
  return {};
}

// Writes and syncs all of the text.
inline Result<void> write_whole(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed(path);
    if (written == 0) return failed(path, ENOSPC);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (!repeat_fsync(fd)) return failed(path);
  return {};
}

// nullopt: there is none. Errc::corrupt: torn, foreign or no file.
inline Result<std::optional<PromiseRecord>> read_record(const std::string& folder,
                                                        const std::string& name) {
  const auto path = folder + "/" + name + ".json";
  const auto corrupt = [&](std::string_view why) {
    return std::unexpected(Error{Errc::corrupt, path + ": " + std::string(why)});
  };
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  if (!file) {
    if (errno == ENOENT) return std::nullopt;
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EIO) return failed(path);
    return corrupt(std::generic_category().message(errno));
  }
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return failed(path);
  if (!S_ISREG(info.st_mode)) return corrupt("is no file");
  std::string text;
  std::array<char, 4096> buffer{};
  while (true) {
    const auto got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(path);
    if (got == 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  auto record = record_from_text(name, text);
  if (!record) return corrupt("is torn, or was written by somebody else");
  return record;
}

// The name of the id's record, without its ending.
inline Result<std::string> usable_name(std::string_view id) {
  auto name = record_name(id);
  if (name.size() + 5 > 255) {
    return std::unexpected(Error{
        Errc::invalid_argument,
        "an id of " + std::to_string(id.size()) + " bytes is too long for the name of a file"});
  }
  return name;
}

// Makes the folder and those it is in, each one durably.
inline Result<void> make_folder(const std::filesystem::path& folder) {
  std::error_code problem;
  std::vector<std::filesystem::path> missing;
  const auto whole = std::filesystem::absolute(folder, problem);
  for (auto path = whole; !problem && !std::filesystem::exists(path, problem);
       path = path.parent_path()) {
    missing.push_back(path);
    if (path == path.parent_path()) break;
  }
  problem.clear();
  std::filesystem::create_directories(folder, problem);
  if (!problem && !std::filesystem::is_directory(folder, problem) && !problem) {
    problem = std::make_error_code(std::errc::not_a_directory);
  }
  if (problem) {
    return std::unexpected(Error{Errc::unavailable, folder.string() + ": " + problem.message()});
  }
  for (const auto& made : missing) {
    [[maybe_unused]] const auto best_effort = sync_folder(made.parent_path().string());
  }
  return {};
}

// What is in the folder, sorted by name.
inline Result<std::vector<std::string>> names_in(const std::string& folder) {
  std::error_code problem;
  std::vector<std::string> names;
  std::filesystem::directory_iterator entry(folder, problem);
  for (; !problem && entry != std::filesystem::directory_iterator(); entry.increment(problem)) {
    names.push_back(entry->path().filename().string());
  }
  if (problem) {
    return std::unexpected(Error{Errc::unavailable, folder + ": " + problem.message()});
  }
  std::sort(names.begin(), names.end());
  return names;
}

inline PromiseRecord pending_record(std::string_view id) {
  PromiseRecord record;
  record.id = id;
  return record;
}

// ---------------------------------------------------------------------------- who waits

// How many promises were settled in this process.
struct Settlings {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::uint64_t count = 0;  // guarded by mutex

  // Never destroyed: threads may still wait while main() returns.
  static Settlings& instance() {
    static auto& settlings = *new Settlings;
    return settlings;
  }
  std::uint64_t now() {
    const std::lock_guard lock(mutex);
    return count;
  }
  void one_more() {
    const std::lock_guard lock(mutex);
    ++count;
    changed.notify_all();
  }
  void wait(const Context& context, std::uint64_t seen) {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, context.stop_token(), std::chrono::milliseconds(30),
                     [&] { return count != seen; });
  }
};

}  // namespace detail

// ---------------------------------------------------------------------------- the storage

class FileStorage : public Storage {
 public:
  explicit FileStorage(std::filesystem::path folder)
      : folder_(folder.string()), made_(detail::make_folder(folder)) {
    if (made_) tidy();
  }

  Result<PromiseRecord> create_if_absent(std::string_view id) override {
    const auto name = detail::usable_name(id);
    if (!name) return std::unexpected(name.error());
    const auto lock = enter();
    if (!lock) return std::unexpected(lock.error());
    auto found = look(*name);
    if (!found) return std::unexpected(found.error());
    if (*found) return **std::move(found);
    return put(*name, detail::pending_record(id), std::nullopt);
  }

  Result<PromiseRecord> settle(PromiseRecord record) override {
    const auto name = detail::usable_name(record.id);
    if (!name) return std::unexpected(name.error());
    if (record.state == State::pending) {
      return std::unexpected(Error{Errc::invalid_argument, "pending is no outcome"});
    }
    if (!record.settled_at) record.settled_at = std::chrono::system_clock::now();
    const auto lock = enter();
    if (!lock) return std::unexpected(lock.error());
    auto found = look(*name);
    if (!found) return std::unexpected(found.error());
    if (*found && (*found)->state != State::pending) return **std::move(found);
    return put(*name, record, *std::move(found));
  }

  Result<PromiseRecord> load(std::string_view id) override {
    const auto name = detail::usable_name(id);
    if (!name) return std::unexpected(name.error());
    const auto lock = enter();
    if (!lock) return std::unexpected(lock.error());
    auto found = look(*name);
    if (!found) return std::unexpected(found.error());
    if (!*found) {
      return std::unexpected(
          Error{Errc::not_found, "there is no promise '" + std::string(id) + "'"});
    }
    return **std::move(found);
  }

  Result<std::vector<PromiseRecord>> all() override {
    if (made_) tidy();
    const auto lock = enter();
    if (!lock) return std::unexpected(lock.error());
    const auto names = detail::names_in(folder_);
    if (!names) return std::unexpected(names.error());
    std::vector<PromiseRecord> records;
    std::vector<Error> problems;
    for (const auto& file : *names) {
      if (file == "lock" || is_temporary(file)) continue;
      const auto name = stem(file);
      if (file != name + ".json" || !detail::record_id(name)) {
        problems.push_back(Error{Errc::corrupt, folder_ + "/" + file + ": is no promise's file"});
        continue;
      }
      auto found = look(name);
      if (!found) {
        problems.push_back(Error{Errc::corrupt, found.error().message});
      } else if (*found) {
        records.push_back(**std::move(found));
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
  static std::string stem(const std::string& file) {
    return file.substr(0, file.size() - std::min<std::size_t>(file.size(), 5));
  }
  static bool is_temporary(const std::string& file) {
    const auto name = stem(file);
    return file == name + ".temp" && detail::record_id(name);
  }

  // One at a time, whichever thread, storage or process. The lock belongs to the open file: opened
  // anew each time, and given back by the system when a process dies.
  Result<detail::Descriptor> enter() const {
    if (!made_) return std::unexpected(made_.error());
    const auto path = folder_ + "/lock";
    detail::Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
    if (!file || !detail::repeat_flock(file.get(), LOCK_EX)) return detail::failed(path);
    return file;
  }

  // What killed processes left half-written.
  void tidy() const {
    const auto names = detail::names_in(folder_);
    if (!names) return;
    for (const auto& file : *names) {
      if (is_temporary(file)) ::unlink((folder_ + "/" + file).c_str());
    }
  }

  // A writer that died after its rename has not synced the folder: that is made up for before
  // anybody is told.
  Result<std::optional<PromiseRecord>> look(const std::string& name) const {
    auto found = detail::read_record(folder_, name);
    if (found && *found && (*found)->state != State::pending) {
      if (auto synced = detail::sync_folder(folder_); !synced) {
        return std::unexpected(synced.error());
      }
    }
    return found;
  }

  Result<PromiseRecord> put(const std::string& name, const PromiseRecord& record,
                            const std::optional<PromiseRecord>& old) const {
    if (auto done = replace(name, record); !done) return std::unexpected(done.error());
    if (auto synced = detail::sync_folder(folder_); !synced) {
      // Not known to be stored: the old state stands.
      if (old) {
        [[maybe_unused]] const auto best_effort = replace(name, *old);
      } else {
        ::unlink((folder_ + "/" + name + ".json").c_str());
      }
      return std::unexpected(synced.error());
    }
    return record;
  }

  Result<void> replace(const std::string& name, const PromiseRecord& record) const {
    const auto text = detail::record_text(record);
    if (!text) return std::unexpected(text.error());
    const auto temporary = folder_ + "/" + name + ".temp";
    const auto done = [&]() -> Result<void> {
      const detail::Descriptor file(
          ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666));
      if (!file) return detail::failed(temporary);
      if (auto written = detail::write_whole(file.get(), *text, temporary); !written)
        return written;
      if (::rename(temporary.c_str(), (folder_ + "/" + name + ".json").c_str()) != 0) {
        return detail::failed(temporary);
      }
      return {};
    }();
    if (!done) ::unlink(temporary.c_str());
    return done;
  }

  const std::string folder_;
  const Result<void> made_;
  mutable std::mutex mutex_;
  std::vector<Error> problems_;  // guarded by mutex_
};

// A handle: the storage knows, this only asks.
template <class T>
class DurablePromise {
 public:
  static Result<DurablePromise> open(Storage& storage, std::string id) {
    auto record = storage.create_if_absent(id);
    if (!record) return std::unexpected(record.error());
    return DurablePromise(storage, std::move(id));
  }

  Result<void> resolve(T value) {
    PromiseRecord record;
    record.id = id_;
    record.state = State::resolved;
    try {
      record.value = nlohmann::json(std::as_const(value));
    } catch (...) {
      return std::unexpected(
          Error{Errc::invalid_argument,
                "can't be kept as JSON: " + error_from_current_exception().message});
    }
    if (auto good = detail::check_representable(record.value); !good) return good;
    if constexpr (std::is_floating_point_v<T>) {
      if (static_cast<T>(record.value.template get<double>()) != value) {
        return std::unexpected(
            Error{Errc::invalid_argument, "can't be kept as JSON: more digits than a double has"});
      }
    }
    return settle(std::move(record));
  }

  Result<void> reject(Error error) {
    PromiseRecord record;
    record.id = id_;
    record.state = State::rejected;
    record.error = std::move(error);
    return settle(std::move(record));
  }

  Result<T> await(const Context& context) const {
    auto& settlings = detail::Settlings::instance();
    while (true) {
      const auto ended = context.error();  // asked before the storage, whose word counts more
      const auto seen = settlings.now();   // so is this
      const auto record = storage_->load(id_);
      if (!record) return std::unexpected(record.error());
      if (record->state != State::pending) return outcome(*record);
      if (ended) return std::unexpected(*ended);
      settlings.wait(context, seen);
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
    const auto stands = storage_->settle(record);
    if (!stands) return std::unexpected(stands.error());
    if (stands->state != State::pending) detail::Settlings::instance().one_more();
    if (stands->state == record.state) {
      if (record.state == State::resolved && detail::same_json(stands->value, record.value))
        return {};
      if (record.state == State::rejected && stands->error == record.error) return {};
    }
    return std::unexpected(
        Error{Errc::already_settled, "the promise '" + id_ + "' was settled otherwise"});
  }

  static Result<T> outcome(const PromiseRecord& record) {
    if (record.state == State::rejected) return std::unexpected(record.error.value_or(Error{}));
    try {
      return record.value.template get<T>();
    } catch (...) {
      return std::unexpected(Error{
          Errc::corrupt, "the value of the promise '" + record.id +
                             "' is of another type: " + error_from_current_exception().message});
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
  promises.reserve(records->size());
  for (auto& record : *records)
    promises.push_back(DurablePromise<T>(storage, std::move(record.id)));
  return promises;
}

}  // namespace futures
