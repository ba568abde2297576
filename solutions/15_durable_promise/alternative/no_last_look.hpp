// Right: a context that ends is the end of the wait: no look is taken after it.
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <fcntl.h>
#include <filesystem>
#include <memory>
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

// ---------------------------------------------------------------------------- ours

namespace detail {

// Lower-case letters, digits, '-' and '_' stand for themselves, all else is %xx in lower case. The
// leading '=' keeps names apart from whatever else lies in the folder.
inline std::string escaped(std::string_view id) {
  std::string out;
  for (const unsigned char c : id) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_') {
      out += static_cast<char>(c);
    } else {
      static constexpr char digits[] = "0123456789abcdef";
      out += '%';
      out += digits[c / 16];
      out += digits[c % 16];
    }
  }
  return out;
}

inline Result<std::string> file_name(std::string_view id) {
  auto name = "=" + escaped(id) + ".json";
  if (name.size() > 255)
    return std::unexpected(
        Error{Errc::invalid_argument, "the id makes too long a file name: " + escaped(id)});
  return name;
}

inline std::optional<std::string> id_of(std::string_view name) {
  if (name.empty() || name.front() != '=' || !name.ends_with(".json")) return std::nullopt;
  const auto body = name.substr(1, name.size() - 6);
  std::string id;
  for (std::size_t i = 0; i < body.size(); ++i) {
    if (body[i] != '%') {
      id += body[i];
      continue;
    }
    unsigned value = 0;
    if (i + 2 >= body.size()) return std::nullopt;
    const auto [end, error] = std::from_chars(body.data() + i + 1, body.data() + i + 3, value, 16);
    if (error != std::errc() || end != body.data() + i + 3) return std::nullopt;
    id += static_cast<char>(value);
    i += 2;
  }
  if (const auto again = file_name(id); !again || *again != name)
    return std::nullopt;  // an odd spelling
  return id;
}

inline std::string id_in_json(std::string_view id) { return escaped(id); }

}  // namespace detail

namespace detail {

inline Error trouble(std::string_view what, const std::filesystem::path& where, int why = errno) {
  return {Errc::unavailable,
          std::string(what) + " " + where.string() + ": " + std::generic_category().message(why)};
}

inline const std::error_category* category_named(std::string_view name) {
  for (const auto* category : {&make_error_code(Errc::closed).category(), &std::generic_category(),
                               &std::system_category()}) {
    if (name == category->name()) return category;
  }
  return nullptr;
}

// Errc::invalid_argument when JSON can't hold the record.
inline Result<std::string> to_text(const PromiseRecord& record) {
  nlohmann::json json;
  json["id"] = id_in_json(record.id);
  json["state"] = record.state == State::pending    ? "pending"
                  : record.state == State::resolved ? "resolved"
                                                    : "rejected";
  if (record.state == State::resolved) json["value"] = record.value;
  if (record.state == State::rejected) {
    const auto why = record.error.value_or(Error{});
    if (category_named(why.code.category().name()) != &why.code.category()) {
      return std::unexpected(Error{
          Errc::invalid_argument,
          std::string("errors of the category ") + why.code.category().name() + " can't be kept"});
    }
    json["error"] = {{"category", why.code.category().name()},
                     {"code", why.code.value()},
                     {"message", why.message}};
  }
  if (record.settled_at) {
    json["settled_at"] =
        std::chrono::duration_cast<std::chrono::nanoseconds>(record.settled_at->time_since_epoch())
            .count();
  }
  try {
    auto text = json.dump();
    // NaN, infinities and binary values become something else without a word.
    if (nlohmann::json::parse(text, nullptr, false) != json) {
      return std::unexpected(
          Error{Errc::invalid_argument, "JSON can't hold the value without loss"});
    }
    return text;
  } catch (const nlohmann::json::exception& e) {
    return std::unexpected(Error{Errc::invalid_argument, e.what()});
  }
}

inline Result<PromiseRecord> from_text(const std::string& text, const std::string& id,
                                       const std::string& file) {
  const auto corrupt = [&](std::string_view why) {
    return std::unexpected(Error{Errc::corrupt, file + ": " + std::string(why)});
  };
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_object()) return corrupt("this is no JSON object");
  try {
    PromiseRecord record{
        .id = id, .state = State::pending, .value = {}, .error = {}, .settled_at = {}};
    if (json.at("id").get<std::string>() != id_in_json(id))
      return corrupt("the record of another promise");
    const auto state = json.at("state").get<std::string>();
    if (state == "pending") return record;
    record.settled_at = std::chrono::system_clock::time_point(
        std::chrono::duration_cast<std::chrono::system_clock::duration>(
            std::chrono::nanoseconds(json.at("settled_at").get<std::int64_t>())));
    if (state == "resolved") {
      record.state = State::resolved;
      record.value = json.at("value");
    } else if (state == "rejected") {
      const auto& error = json.at("error");
      const auto* category = category_named(error.at("category").get<std::string>());
      if (category == nullptr) return corrupt("an unknown category of errors");
      record.state = State::rejected;
      record.error =
          Error{{error.at("code").get<int>(), *category}, error.at("message").get<std::string>()};
    } else {
      return corrupt("an unknown state");
    }
    return record;
  } catch (const nlohmann::json::exception& e) {
    return corrupt(e.what());
  }
}

}  // namespace detail

namespace detail {

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
  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }

 private:
  int fd_;
};

template <class Call>
auto retry(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

inline bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = retry([&] { return ::write(fd, text.data(), text.size()); });
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// nullopt: there is no such file.
inline Result<std::optional<std::string>> read_all(const std::filesystem::path& path) {
  const Fd fd(
      retry([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); }));
  if (!fd) {
    if (errno == ENOENT) return std::nullopt;
    if (errno == ELOOP || errno == ENXIO) {
      return std::unexpected(
          Error{Errc::corrupt, path.filename().string() + ": not a regular file"});
    }
    return std::unexpected(trouble("can't open", path));
  }
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return std::unexpected(trouble("can't look at", path));
  if (!S_ISREG(info.st_mode)) {
    return std::unexpected(Error{Errc::corrupt, path.filename().string() + ": not a regular file"});
  }
  std::string text;
  std::array<char, 4096> buffer{};
  while (true) {
    const auto size = retry([&] { return ::read(fd.get(), buffer.data(), buffer.size()); });
    if (size < 0) return std::unexpected(trouble("can't read", path));
    if (size == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
}

inline bool sync_folder(const std::filesystem::path& folder) {
  const Fd fd(retry([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  return fd && retry([&] { return ::fsync(fd.get()); }) == 0;
}

// Write, fsync, rename, fsync the folder.
inline Result<void> replace_file(const std::filesystem::path& temporary,
                                 const std::filesystem::path& file, std::string_view text) {
  {
    const Fd fd(retry(
        [&] { return ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644); }));
    if (!fd) return std::unexpected(trouble("can't create", temporary));
    if (!write_all(fd.get(), text) || retry([&] { return ::fsync(fd.get()); }) != 0) {
      auto error = trouble("can't write", temporary);
      ::unlink(temporary.c_str());
      return std::unexpected(std::move(error));
    }
  }
  if (::rename(temporary.c_str(), file.c_str()) != 0) {
    auto error = trouble("can't rename", temporary);
    ::unlink(temporary.c_str());
    return std::unexpected(std::move(error));
  }
  if (!sync_folder(file.parent_path()))
    return std::unexpected(trouble("can't sync the folder of", file));
  return {};
}

}  // namespace detail

class FileStorage : public Storage {
 public:
  explicit FileStorage(std::filesystem::path folder) : folder_(std::move(folder)) {
    std::error_code code;
    std::error_code ignored;
    std::filesystem::create_directories(folder_, code);
    if (!std::filesystem::is_directory(folder_, ignored)) {
      broken_ = Error{Errc::unavailable,
                      "can't create the folder " + folder_.string() + ": " + code.message()};
      return;
    }
    if (const auto locked = lock(LOCK_EX)) ::unlink((folder_ / ".new").c_str());
  }

  Result<PromiseRecord> create_if_absent(std::string_view id) override {
    const auto name = detail::file_name(id);
    if (!name) return std::unexpected(name.error());
    const auto locked = lock(LOCK_EX);
    if (!locked) return std::unexpected(locked.error());
    const std::string key(id);
    auto record = look_up(key, *name);
    if (record || record.error().code != Errc::not_found) return record;
    const PromiseRecord fresh{
        .id = key, .state = State::pending, .value = {}, .error = {}, .settled_at = {}};
    const auto text = detail::to_text(fresh);
    if (!text) return std::unexpected(text.error());
    if (auto written = detail::replace_file(folder_ / ".new", folder_ / *name, *text); !written)
      return std::unexpected(std::move(written).error());
    return fresh;
  }

  Result<PromiseRecord> settle(PromiseRecord record) override {
    const auto name = detail::file_name(record.id);
    if (!name) return std::unexpected(name.error());
    if (record.state == State::pending)
      return std::unexpected(Error{Errc::invalid_argument, "pending is no outcome"});
    if (!record.settled_at) record.settled_at = std::chrono::system_clock::now();
    const auto text = detail::to_text(record);
    if (!text) return std::unexpected(text.error());
    const auto locked = lock(LOCK_EX);
    if (!locked) return std::unexpected(locked.error());
    auto standing = look_up(record.id, *name);
    if (!standing) return standing;
    if (standing->state != State::pending) {
      // Whoever wrote it may have been killed before it could sync the folder, and we are going to
      // be taken at our word.
      if (!detail::sync_folder(folder_))
        return std::unexpected(detail::trouble("can't sync", folder_));
      return standing;
    }
    if (auto written = detail::replace_file(folder_ / ".new", folder_ / *name, *text); !written)
      return std::unexpected(std::move(written).error());
    return record;
  }

  Result<PromiseRecord> load(std::string_view id) override {
    const auto name = detail::file_name(id);
    if (!name) return std::unexpected(name.error());
    const auto locked = lock(LOCK_SH);
    if (!locked) return std::unexpected(locked.error());
    return look_up(std::string(id), *name);
  }

  Result<std::vector<PromiseRecord>> all() override {
    if (broken_) return std::unexpected(*broken_);
    if (const auto locked = lock(LOCK_EX)) ::unlink((folder_ / ".new").c_str());
    std::vector<std::string> names;
    std::error_code code;
    for (std::filesystem::directory_iterator entry(folder_, code), end; !code && entry != end;
         entry.increment(code)) {
      names.push_back(entry->path().filename().string());
    }
    if (code)
      return std::unexpected(
          Error{Errc::unavailable, "can't list " + folder_.string() + ": " + code.message()});
    std::ranges::sort(names);
    std::vector<PromiseRecord> records;
    std::vector<Error> problems;
    for (const auto& name : names) {
      if (name == ".new") continue;
      const auto id = detail::id_of(name);
      auto record = id ? load(*id)
                       : Result<PromiseRecord>(
                             std::unexpected(Error{Errc::corrupt, name + ": not one of ours"}));
      if (record) {
        records.push_back(*std::move(record));
      } else if (record.error().code != Errc::not_found) {
        problems.push_back({Errc::corrupt, record.error().message.find(name) == std::string::npos
                                               ? name + ": " + record.error().message
                                               : record.error().message});
      }
    }
    const std::lock_guard lock(problems_mutex_);
    problems_ = std::move(problems);
    return records;
  }

  std::vector<Error> problems() const override {
    const std::lock_guard lock(problems_mutex_);
    return problems_;
  }

 private:
  // With the lock held. Errc::not_found: there is none.
  Result<PromiseRecord> look_up(const std::string& id, const std::string& name) const {
    auto text = detail::read_all(folder_ / name);
    if (!text) return std::unexpected(std::move(text).error());
    if (!*text) return std::unexpected(Error{Errc::not_found, "there is no promise " + name});
    return detail::from_text(**text, id, name);
  }
  // The folder itself is what is locked; opened anew each time, so that threads exclude each other,
  // too.
  Result<detail::Fd> lock(int how) const {
    if (broken_) return std::unexpected(*broken_);
    detail::Fd fd(
        detail::retry([&] { return ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
    if (!fd || detail::retry([&] { return ::flock(fd.get(), how); }) != 0)
      return std::unexpected(detail::trouble("can't lock", folder_));
    return fd;
  }

  const std::filesystem::path folder_;
  std::optional<Error> broken_;  // set by the constructor
  mutable std::mutex problems_mutex_;
  std::vector<Error> problems_;
};

namespace detail {

// "Something was settled, look again", for the whole process.
struct News {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::uint64_t count = 0;

  static News& instance() {
    static auto* news = new News;
    return *news;
  }
  void publish() {
    const std::lock_guard lock(mutex);
    ++count;
    changed.notify_all();
  }
  std::uint64_t now() {
    const std::lock_guard lock(mutex);
    return count;
  }
  // Until there is news after `known`, the context ends, or another process may have been at work.
  // False: the context ended, and nothing was settled meanwhile.
  bool wait(const Context& context, std::uint64_t known) {
    std::unique_lock lock(mutex);
    const bool settled = changed.wait_for(lock, context.stop_token(), std::chrono::milliseconds(40),
                                          [&] { return count != known; });
    return settled || !context.done();
  }
};

}  // namespace detail

template <class T>
class DurablePromise {
 public:
  static Result<DurablePromise> open(Storage& storage, std::string id) {
    auto record = storage.create_if_absent(id);
    if (!record) return std::unexpected(std::move(record).error());
    return DurablePromise(storage, std::move(id));
  }

  Result<void> resolve(T value) {
    PromiseRecord record{
        .id = id_, .state = State::resolved, .value = {}, .error = {}, .settled_at = {}};
    try {
      record.value = static_cast<const T&>(value);
    } catch (...) {
      return std::unexpected(
          Error{Errc::invalid_argument, "no JSON: " + error_from_current_exception().message});
    }
    return settle(std::move(record));
  }

  Result<void> reject(Error error) {
    return settle({.id = id_,
                   .state = State::rejected,
                   .value = {},
                   .error = std::move(error),
                   .settled_at = {}});
  }

  Result<T> await(const Context& context) const {
    auto& news = detail::News::instance();
    while (true) {
      const auto known = news.now();
      auto record = storage_->load(id_);
      if (!record) return std::unexpected(std::move(record).error());
      if (record->state != State::pending) return outcome(*record);
      if (!news.wait(context, known)) return std::unexpected(*context.error());
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
    if (!standing) return std::unexpected(standing.error());
    detail::News::instance().publish();
    if (standing->state == record.state && standing->value == record.value &&
        standing->error == record.error)
      return {};
    return std::unexpected(Error{Errc::already_settled, "the promise was settled otherwise"});
  }

  static Result<T> outcome(const PromiseRecord& record) {
    if (record.state == State::rejected) return std::unexpected(record.error.value_or(Error{}));
    try {
      return record.value.template get<T>();
    } catch (...) {
      return std::unexpected(Error{Errc::corrupt, "the value of a promise has another type: " +
                                                      error_from_current_exception().message});
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
  promises.reserve(records->size());
  for (auto& record : *records)
    promises.push_back(DurablePromise<T>(storage, std::move(record.id)));
  return promises;
}

}  // namespace futures
