// Right: every settle runs on a short-lived thread, and the caller waits for it; locks are tried
// for with pauses; records are written with an indentation.
#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <dirent.h>
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
#include <thread>
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

namespace detail {

inline std::unexpected<Error> durable_error(Errc code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

inline std::unexpected<Error> durable_errno(const std::string& what) {
  const int number = errno;
  return durable_error(Errc::unavailable, what + ": " + std::generic_category().message(number));
}

// An open file, closed when it goes out of scope.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

// The text of a JSON value, when reading it gives the value back.
inline Result<std::string> durable_text(const nlohmann::json& json) {
  try {
    auto text = json.dump();
    const auto back = nlohmann::json::parse(text);
    if (back == json && back.dump() == text) return text;
  } catch (const std::exception&) {
    // not UTF-8, for one
  }
  return durable_error(Errc::invalid_argument, "JSON can't hold this value without loss");
}

// Categories whose codes can be found again by name.
inline const std::error_category* durable_category(std::string_view name) {
  const auto futures_code = make_error_code(Errc::cancelled);
  for (const std::error_category* one :
       {&futures_code.category(), &std::generic_category(), &std::system_category(),
        &std::iostream_category(), &std::future_category()}) {
    if (name == one->name()) return one;
  }
  return nullptr;
}

inline Result<nlohmann::json> durable_error_json(const Error& error) {
  const auto* category = durable_category(error.code.category().name());
  if (!category || *category != error.code.category()) {
    return durable_error(Errc::invalid_argument, "an error of this category can't be stored");
  }
  nlohmann::json json{
      {"category", category->name()}, {"code", error.code.value()}, {"message", error.message}};
  if (auto text = durable_text(json); !text) return std::unexpected(text.error());
  return json;
}

// Tells awaiters of this process that something was settled; what, they see in their storage.
class DurableBell {
 public:
  static DurableBell& instance() {
    static auto* bell = new DurableBell;  // never destroyed: threads may outlive main()
    return *bell;
  }
  std::uint64_t edition() const {
    const std::lock_guard lock(mutex_);
    return edition_;
  }
  void ring() {
    const std::lock_guard lock(mutex_);
    ++edition_;
    wake_.notify_all();
  }
  void wait(const Context& context, std::uint64_t seen) const {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, context.stop_token(), std::chrono::milliseconds(15),
                   [&] { return edition_ != seen; });
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable_any wake_;
  std::uint64_t edition_ = 0;  // guarded by mutex_
};

}  // namespace detail

class FileStorage : public Storage {
 public:
  explicit FileStorage(std::filesystem::path folder) : folder_(std::move(folder)) {
    std::error_code code;
    std::filesystem::create_directories(folder_, code);
    // What a killed process left half-written. Nobody writes while we have the lock.
    if (auto lock = enter(LOCK_EX)) sweep(*lock);
  }

  Result<PromiseRecord> create_if_absent(std::string_view id) override {
    auto name = name_of(id);
    if (!name) return std::unexpected(name.error());
    auto lock = enter(LOCK_EX);
    if (!lock) return std::unexpected(lock.error());
    auto found = read(*lock, *name);
    if (found) return confirmed(*lock, std::move(found));
    if (found.error().code != Errc::not_found) return found;
    PromiseRecord record;
    record.id = std::string(id);
    return write(*lock, *name, std::move(record));
  }

  Result<PromiseRecord> settle(PromiseRecord record) override {
    auto name = name_of(record.id);
    if (!name) return std::unexpected(name.error());
    if (record.state == State::pending || (record.state == State::rejected && !record.error)) {
      return detail::durable_error(Errc::invalid_argument, "this record is not settled");
    }
    if (!record.settled_at) record.settled_at = std::chrono::system_clock::now();
    auto lock = enter(LOCK_EX);
    if (!lock) return std::unexpected(lock.error());
    auto standing = read(*lock, *name);
    if (standing ? standing->state != State::pending : standing.error().code != Errc::not_found) {
      return confirmed(*lock, std::move(standing));
    }
    return write(*lock, *name, std::move(record));
  }

  Result<PromiseRecord> load(std::string_view id) override {
    auto name = name_of(id);
    if (!name) return std::unexpected(name.error());
    // With those who write kept out: what is there, but not safely on the disk, is not shown.
    auto lock = enter(LOCK_SH);
    if (!lock) return std::unexpected(lock.error());
    return confirmed(*lock, read(*lock, *name));
  }

  Result<std::vector<PromiseRecord>> all() override {
    std::vector<PromiseRecord> records;
    std::vector<Error> problems;
    {
      auto lock = enter(LOCK_EX);
      if (!lock) return std::unexpected(lock.error());
      sweep(*lock);
      auto names = list();
      if (!names) return std::unexpected(names.error());
      for (const auto& name : *names) {
        auto record = read(*lock, name);
        if (record) {
          records.push_back(*std::move(record));
        } else if (record.error().code != Errc::not_found) {
          problems.push_back(Error{Errc::corrupt, record.error().message});
        }
      }
      if (::fsync(lock->get()) != 0 && errno != EINVAL && errno != EROFS) {
        return detail::durable_errno("can't sync " + folder_.string());
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
  using Json = nlohmann::json;
  static constexpr std::string_view kPrefix = "p-";
  static constexpr std::string_view kSuffix = ".json";
  static constexpr const char* kTemporary = "half-written.tmp";
  static constexpr std::size_t kLongestName = 240;

  // Lower-case letters, digits and '-' stay; every other byte is '_' and two hex digits.
  static Result<std::string> name_of(std::string_view id) {
    if (id.empty()) return detail::durable_error(Errc::invalid_argument, "the id is empty");
    std::string name(kPrefix);
    for (const char c : id) {
      if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-') {
        name += c;
      } else {
        const auto byte = static_cast<unsigned char>(c);
        name += '_';
        name += "0123456789abcdef"[byte >> 4];
        name += "0123456789abcdef"[byte & 15];
      }
    }
    name += kSuffix;
    if (name.size() > kLongestName) {
      return detail::durable_error(Errc::invalid_argument, "the id is too long for a file name");
    }
    return name;
  }

  static std::optional<std::string> id_of(std::string_view name) {
    if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix) ||
        name.size() <= kPrefix.size() + kSuffix.size()) {
      return std::nullopt;
    }
    const auto middle = name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
    const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c - 'a' + 10; };
    std::string id;
    for (std::size_t i = 0; i < middle.size(); ++i) {
      if (middle[i] != '_') {
        id += middle[i];
      } else if (i + 2 < middle.size()) {
        id += static_cast<char>(digit(middle[i + 1]) * 16 + digit(middle[i + 2]));
        i += 2;
      } else {
        return std::nullopt;
      }
    }
    const auto again = name_of(id);
    if (!again || *again != name) return std::nullopt;
    return id;
  }

  // The lock is on the folder itself: there is no file for it that could be lost or be in the way.
  // It is opened anew each time, so that threads exclude each other, too.
  Result<detail::Descriptor> enter(int how) const {
    detail::Descriptor folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.get() < 0) return detail::durable_errno("can't open " + folder_.string());
    for (auto pause = std::chrono::microseconds(50); ::flock(folder.get(), how | LOCK_NB) != 0;) {
      if (errno != EINTR && errno != EWOULDBLOCK) {
        return detail::durable_errno("can't lock " + folder_.string());
      }
      std::this_thread::sleep_for(pause);
      if (pause < std::chrono::microseconds(1600)) pause *= 2;
    }
    return folder;
  }

  static void sweep(const detail::Descriptor& folder) { ::unlinkat(folder.get(), kTemporary, 0); }

  Result<std::vector<std::string>> list() const {
    std::vector<std::string> names;
    std::error_code code;
    for (std::filesystem::directory_iterator at(folder_, code), end; !code && at != end;
         at.increment(code)) {
      auto name = at->path().filename().string();
      if (name != kTemporary) names.push_back(std::move(name));
    }
    if (code) {
      return detail::durable_error(Errc::unavailable,
                                   "can't list " + folder_.string() + ": " + code.message());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  std::unexpected<Error> torn(const std::string& name, const std::string& why) const {
    return detail::durable_error(Errc::corrupt, (folder_ / name).string() + ": " + why);
  }

  Result<PromiseRecord> read(const detail::Descriptor& folder, const std::string& name) const {
    const auto id = id_of(name);
    if (!id) return torn(name, "not the name of a promise");
    const detail::Descriptor file(
        ::openat(folder.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (file.get() < 0) {
      if (errno == ENOENT) return detail::durable_error(Errc::not_found, "no promise: " + *id);
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
        return detail::durable_errno("can't open " + name);
      }
      return torn(name, "can't be opened: " + std::generic_category().message(errno));
    }
    struct stat about{};
    if (::fstat(file.get(), &about) != 0 || !S_ISREG(about.st_mode)) {
      return torn(name, "not a regular file");
    }
    std::string text;
    char buffer[4096];
    while (true) {
      const auto got = ::read(file.get(), buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return torn(name, "can't be read: " + std::generic_category().message(errno));
      if (got == 0) break;
      text.append(buffer, static_cast<std::size_t>(got));
    }
    try {
      const auto json = Json::parse(text);
      if (json.at("format") != "durable promise" || json.at("file") != name) {
        return torn(name, "not the record of this promise");
      }
      PromiseRecord record;
      record.id = *id;
      const auto state = json.at("state").get<std::string>();
      if (state == "pending") return record;
      using Time = std::chrono::system_clock;
      record.settled_at = Time::time_point(std::chrono::duration_cast<Time::duration>(
          std::chrono::nanoseconds(json.at("settled_at").get<std::int64_t>())));
      if (state == "resolved") {
        record.state = State::resolved;
        record.value = json.at("value");
        return record;
      }
      if (state == "rejected") {
        const auto& error = json.at("error");
        const auto* category = detail::durable_category(error.at("category").get<std::string>());
        if (category) {
          record.state = State::rejected;
          record.error = Error{{error.at("code").get<int>(), *category},
                               error.at("message").get<std::string>()};
          return record;
        }
      }
      return torn(name, "a state that nobody knows");
    } catch (const std::exception& e) {
      return torn(name, e.what());
    }
  }

  // A process may have died after the rename: what it left becomes safe before anybody is told.
  Result<PromiseRecord> confirmed(const detail::Descriptor& folder,
                                  Result<PromiseRecord> record) const {
    if (record && record->state != State::pending && ::fsync(folder.get()) != 0 &&
        errno != EINVAL && errno != EROFS) {
      return detail::durable_errno("can't sync " + folder_.string());
    }
    return record;
  }

  // The four steps; with the lock held for writing.
  Result<PromiseRecord> write(const detail::Descriptor& folder, const std::string& name,
                              PromiseRecord record) const {
    Json json{{"format", "durable promise"}, {"file", name}, {"state", "pending"}};
    if (record.state == State::resolved) {
      if (auto text = detail::durable_text(record.value); !text) {
        return std::unexpected(text.error());
      }
      json["state"] = "resolved";
      json["value"] = record.value;
    } else if (record.state == State::rejected) {
      auto error = detail::durable_error_json(*record.error);
      if (!error) return std::unexpected(error.error());
      json["state"] = "rejected";
      json["error"] = *std::move(error);
    }
    if (record.settled_at) {
      json["settled_at"] = std::chrono::duration_cast<std::chrono::nanoseconds>(
                               record.settled_at->time_since_epoch())
                               .count();
    }
    const std::string text = json.dump(3);
    {
      const detail::Descriptor file(::openat(
          folder.get(), kTemporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
      if (file.get() < 0) return detail::durable_errno("can't write into " + folder_.string());
      const auto give_up = [&](const std::string& what) {
        auto error = detail::durable_errno(what + " of " + name);
        ::unlinkat(folder.get(), kTemporary, 0);
        return error;
      };
      for (std::string_view rest = text; !rest.empty();) {
        const auto put = ::write(file.get(), rest.data(), rest.size());
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) {
          return give_up("can't write the record");
        }
        rest.remove_prefix(static_cast<std::size_t>(put));
      }
      if (::fsync(file.get()) != 0) return give_up("can't sync the record");
      if (::renameat(folder.get(), kTemporary, folder.get(), name.c_str()) != 0) {
        return give_up("can't rename the record");
      }
    }
    if (::fsync(folder.get()) != 0) return detail::durable_errno("can't sync " + folder_.string());
    return record;
  }

  const std::filesystem::path folder_;
  mutable std::mutex mutex_;
  std::vector<Error> problems_;  // guarded by mutex_
};

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
    if constexpr (std::is_floating_point_v<T>) {
      if (static_cast<T>(static_cast<double>(value)) != value) {
        return detail::durable_error(Errc::invalid_argument, "JSON can't hold this number");
      }
    }
    try {
      record.value = nlohmann::json(std::move(value));
    } catch (const std::exception& e) {
      return detail::durable_error(Errc::invalid_argument, e.what());
    }
    if (auto text = detail::durable_text(record.value); !text) {
      return std::unexpected(text.error());
    }
    record.state = State::resolved;
    return settle(std::move(record));
  }

  Result<void> reject(Error error) {
    if (auto json = detail::durable_error_json(error); !json) {
      return std::unexpected(json.error());
    }
    PromiseRecord record;
    record.state = State::rejected;
    record.error = std::move(error);
    return settle(std::move(record));
  }

  Result<T> await(const Context& context) const {
    const auto& bell = detail::DurableBell::instance();
    while (true) {
      // Both before the look: what comes in between is seen by it, or by the next one.
      const auto edition = bell.edition();
      const bool ended = context.done();
      auto record = storage_->load(id_);
      if (!record) return std::unexpected(record.error());
      if (record->state == State::rejected) {
        return std::unexpected(record->error.value_or(Error{Errc::corrupt, "no error stored"}));
      }
      if (record->state == State::resolved) {
        try {
          return record->value.template get<T>();
        } catch (const std::exception& e) {
          return detail::durable_error(
              Errc::invalid_argument,
              "what is stored is of another type: " + std::string(e.what()));
        }
      }
      if (ended) return std::unexpected(*context.error());
      bell.wait(context, edition);
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
    const auto wanted = record;
    const auto standing = std::async(std::launch::async | std::launch::deferred, [this, &record] {
                            return storage_->settle(std::move(record));
                          }).get();
    if (!standing) return std::unexpected(standing.error());
    detail::DurableBell::instance().ring();
    if (standing->state == wanted.state &&
        (wanted.state == State::resolved ? same(standing->value, wanted.value)
                                         : standing->error == wanted.error)) {
      return {};
    }
    return detail::durable_error(Errc::already_settled,
                                 "the promise was settled otherwise: " + id_);
  }

  // By their text, which tells 1 from 1.0. The order of what has none does not count.
  static bool same(const nlohmann::json& a, const nlohmann::json& b) {
    if (a.dump() == b.dump()) return true;
    if constexpr (requires { typename T::hasher; }) {
      if (a.is_array() && b.is_array() && a.size() == b.size()) {
        const auto sorted = [](const nlohmann::json& json) {
          std::vector<std::string> texts;
          for (const auto& one : json) texts.push_back(one.dump());
          std::sort(texts.begin(), texts.end());
          return texts;
        };
        return sorted(a) == sorted(b);
      }
    }
    return std::is_floating_point_v<T> && a == b;  // 0.0 and -0.0
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
