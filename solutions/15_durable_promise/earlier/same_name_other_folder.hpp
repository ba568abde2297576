// Wrong: whoever settles hands the record to all in the process that wait for a promise of that id,
// in whatever storage; bites when two folders each have a promise of the same id, and one is
// awaited while the other is settled: the awaiter gets the other folder's outcome.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <memory>
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

inline Error os_error(std::string_view what, const std::string& name, int number) {
  return Error{Errc::unavailable,
               std::string(what) + " " + name + ": " + std::generic_category().message(number)};
}

// Owns a file descriptor.
class Handle {
 public:
  explicit Handle(int fd = -1) : fd_(fd) {}
  Handle(Handle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Handle() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool good() const { return fd_ >= 0; }
  int close() { return ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

inline bool lock_file(int fd, int how) {
  while (flock(fd, how) != 0) {
    if (errno != EINTR) return false;
  }
  return true;
}

// flock() on an open file of its own, so that it excludes threads as well.
class Locked {
 public:
  explicit Locked(Handle file) : file_(std::move(file)) {}
  Locked(Locked&&) = default;
  Locked& operator=(Locked&&) = delete;
  ~Locked() {
    if (file_.good()) flock(file_.get(), LOCK_UN);  // also for a child that inherited it
  }

 private:
  Handle file_;
};

// Lower case letters, digits and hyphens stay; any other byte becomes an underscore and two digits.
inline std::string name_of(std::string_view id) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string name = "p-";
  for (const char c : id) {
    const auto byte = static_cast<unsigned char>(c);
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-') {
      name += c;
    } else {
      name += '_';
      name += digits[byte >> 4U];
      name += digits[byte & 15U];
    }
  }
  return name + ".json";
}

inline int digit_of(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// What name_of() was given; nothing for a name that it does not make.
inline std::optional<std::string> id_of(std::string_view name) {
  if (!name.starts_with("p-") || !name.ends_with(".json") || name.size() < 7) return std::nullopt;
  const auto text = name.substr(2, name.size() - 7);
  std::string id;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '_') {
      id += text[at];
      continue;
    }
    if (at + 2 >= text.size()) return std::nullopt;
    const int high = digit_of(text[at + 1]);
    const int low = digit_of(text[at + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    id += static_cast<char>(static_cast<unsigned char>(high * 16 + low));
    at += 2;
  }
  if (name_of(id) != name) return std::nullopt;
  return id;
}

// Why the value can't be written without loss, if it can't.
inline std::optional<std::string> unfit(const nlohmann::json& value) {
  if (value.is_discarded()) return "it is no JSON";
  if (value.is_binary()) return "JSON has no binary values";
  if (value.is_number_float() && !std::isfinite(value.get<double>())) {
    return "JSON has neither infinity nor NaN";
  }
  if (value.is_structured()) {
    for (const auto& item : value) {
      if (auto why = unfit(item)) return why;
    }
  }
  return std::nullopt;
}

// The value as JSON, or why there is none.
template <class T>
std::optional<Error> to_value(const T& from, nlohmann::json& to) {
  const auto no = [](const std::string& why) {
    return Error{Errc::invalid_argument, "the value can't be written as JSON: " + why};
  };
  try {
    nlohmann::json made(from);
    if (const auto why = unfit(made)) return no(*why);
    (void)made.dump();  // throws for text that is no UTF-8
    if constexpr (std::is_same_v<T, long double>) {
      if (static_cast<long double>(made.template get<double>()) != from) return no("too precise");
    }
    to = std::move(made);
    return std::nullopt;
  } catch (...) {
    return no(error_from_current_exception().message);
  }
}

inline const std::error_category* category_named(std::string_view name) {
  static const auto futures_category = make_error_code(Errc::cancelled);
  for (const auto* known :
       {&futures_category.category(), &std::generic_category(), &std::system_category()}) {
    if (name == known->name()) return known;
  }
  return nullptr;
}

inline std::int64_t to_count(std::chrono::system_clock::time_point time) {
  return static_cast<std::int64_t>(time.time_since_epoch().count());
}

// The text of a record's file. Errors: Errc::invalid_argument.
inline Result<std::string> to_text(const PromiseRecord& record) {
  const auto no = [](const std::string& why) {
    return std::unexpected(
        Error{Errc::invalid_argument, "the outcome can't be written as JSON: " + why});
  };
  nlohmann::json file;
  file["file"] = name_of(record.id);
  if (record.state == State::pending) {
    file["state"] = "pending";
  } else if (record.state == State::resolved) {
    if (const auto why = unfit(record.value)) return no(*why);
    file["state"] = "resolved";
    file["value"] = record.value;
  } else {
    if (!record.error) return no("a rejected promise needs an error");
    const auto& code = record.error->code;
    const auto* known = category_named(code.category().name());
    if (known == nullptr || *known != code.category()) {
      return no(std::string("errors of the category '") + code.category().name() + "' are unknown");
    }
    file["state"] = "rejected";
    file["category"] = code.category().name();
    file["code"] = code.value();
    file["message"] = record.error->message;
  }
  if (record.settled_at) file["settled_at"] = to_count(*record.settled_at);
  try {
    return file.dump() + "\n";
  } catch (const nlohmann::json::exception& e) {
    return no(e.what());
  }
}

// Errors: Errc::corrupt, with the name.
inline Result<PromiseRecord> from_text(const std::string& id, const std::string& text) {
  const auto name = name_of(id);
  const auto no = [&name](const char* why) {
    return std::unexpected(Error{Errc::corrupt, name + " is no record of a promise: " + why});
  };
  const auto file = nlohmann::json::parse(text, nullptr, false);
  if (file.is_discarded() || !file.is_object()) return no("it is torn, or no JSON");
  try {
    if (file.at("file").get<std::string>() != name) return no("it belongs to another promise");
    PromiseRecord record;
    record.id = id;
    const auto state = file.at("state").get<std::string>();
    if (state == "pending") return record;
    if (!file.at("settled_at").is_number_integer()) return no("it has no time");
    record.settled_at = std::chrono::system_clock::time_point(
        std::chrono::system_clock::duration(file.at("settled_at").get<std::int64_t>()));
    if (state == "resolved") {
      record.state = State::resolved;
      record.value = file.at("value");
      return record;
    }
    if (state != "rejected") return no("its state is unknown");
    const auto* category = category_named(file.at("category").get<std::string>());
    if (category == nullptr) return no("its error is of an unknown category");
    record.state = State::rejected;
    record.error = Error{std::error_code(file.at("code").get<int>(), *category),
                         file.at("message").get<std::string>()};
    return record;
  } catch (const nlohmann::json::exception& e) {
    return no(e.what());
  }
}

}  // namespace detail

namespace detail {

// Equal as JSON. nlohmann's own == casts whole numbers to each other's type before it compares.
inline bool same(const nlohmann::json& a, const nlohmann::json& b) {
  if (a.is_number_integer() && b.is_number_integer()) return a.dump() == b.dump();
  if (a.is_number() && b.is_number() && a.is_number_float() != b.is_number_float()) {
    const auto& whole = a.is_number_float() ? b : a;
    const auto real = (a.is_number_float() ? a : b).get<double>();
    if (std::abs(real) > 9007199254740992.0) return false;
    return whole.is_number_unsigned() ? static_cast<double>(whole.get<std::uint64_t>()) == real &&
                                            whole.get<std::uint64_t>() <= 9007199254740992U
                                      : static_cast<double>(whole.get<std::int64_t>()) == real &&
                                            std::abs(real) < 9007199254740992.0;
  }
  if (a.is_array() && b.is_array()) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
  }
  if (a.is_object() && b.is_object()) {
    if (a.size() != b.size()) return false;
    for (const auto& [key, value] : a.items()) {
      const auto other = b.find(key);
      if (other == b.end() || !same(value, *other)) return false;
    }
    return true;
  }
  return a == b;
}

}  // namespace detail

namespace detail {

// Those who wait, by the id of their promise. Whoever settles hands them the record that the
// storage has by now: they need not read it once more. Never destroyed: a detached thread may still
// wait.
class Waiters {
 public:
  class Waiter {
   public:
    explicit Waiter(const std::string& id) : at_(instance().add(id, *this)) {}
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() { instance().remove(at_); }

    // The record, once somebody hands it over.
    std::optional<PromiseRecord> wait(const Context& context, std::chrono::milliseconds longest) {
      std::unique_lock lock(instance().mutex_);
      wake_.wait_until(lock, context.stop_token(), after(longest),
                       [this] { return record_.has_value(); });
      return record_;
    }

   private:
    friend class Waiters;
    std::condition_variable_any wake_;
    std::optional<PromiseRecord> record_;  // guarded by the mutex of all
    std::multimap<std::string, Waiter*>::iterator at_;
  };

  static Waiters& instance() {
    static auto* waiters = new Waiters;
    return *waiters;
  }

  void hand_over(const PromiseRecord& record) {
    const std::lock_guard lock(mutex_);
    const auto [begin, end] = waiting_.equal_range(record.id);
    for (auto at = begin; at != end; ++at) {
      at->second->record_ = record;
      at->second->wake_.notify_one();
    }
  }

 private:
  std::multimap<std::string, Waiter*>::iterator add(const std::string& id, Waiter& waiter) {
    const std::lock_guard lock(mutex_);
    return waiting_.emplace(id, &waiter);
  }
  void remove(std::multimap<std::string, Waiter*>::iterator at) {
    const std::lock_guard lock(mutex_);
    waiting_.erase(at);
  }

  std::mutex mutex_;
  std::multimap<std::string, Waiter*> waiting_;  // guarded by mutex_
};

}  // namespace detail

class FileStorage : public Storage {
 public:
  explicit FileStorage(std::filesystem::path folder) {
    std::error_code failed;
    folder_ = std::filesystem::absolute(folder, failed);
    if (!failed) prepare(failed);
    if (failed) {
      broken_ = Error{Errc::unavailable, "the folder " + folder.string() + ": " + failed.message()};
    }
  }

  Result<PromiseRecord> create_if_absent(std::string_view id) override {
    if (auto why = unusable(id)) return std::unexpected(*why);
    auto there = read(std::string(id));
    if (there || there.error().code != Errc::not_found) return there;
    const auto lock = take(LOCK_EX);
    if (!lock) return std::unexpected(lock.error());
    there = read(std::string(id));
    if (there || there.error().code != Errc::not_found) return there;
    PromiseRecord record;
    record.id = id;
    if (auto written = write(record); !written) return std::unexpected(written.error());
    return record;
  }

  Result<PromiseRecord> settle(PromiseRecord record) override {
    if (auto why = unusable(record.id)) return std::unexpected(*why);
    if (record.state == State::pending) {
      return std::unexpected(Error{Errc::invalid_argument, "to settle is not to leave pending"});
    }
    const auto lock = take(LOCK_EX);
    if (!lock) return std::unexpected(lock.error());
    auto there = read(record.id);
    if (there && there->state != State::pending) return there;
    if (!there && there.error().code != Errc::not_found) return there;
    if (!record.settled_at) record.settled_at = std::chrono::system_clock::now();
    if (auto written = write(record); !written) return std::unexpected(written.error());
    return record;
  }

  Result<PromiseRecord> load(std::string_view id) override {
    if (auto why = unusable(id)) return std::unexpected(*why);
    return read(std::string(id));
  }

  Result<std::vector<PromiseRecord>> all() override {
    if (broken_) return std::unexpected(*broken_);
    clean_up();
    std::vector<PromiseRecord> records;
    std::vector<Error> problems;
    std::error_code failed;
    std::filesystem::directory_iterator entry(folder_, failed);
    for (; !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed)) {
      const auto name = entry->path().filename().string();
      if (is_ours(name)) continue;
      const auto id = detail::id_of(name);
      if (!id) {
        problems.push_back(Error{Errc::corrupt, name + " is no file of a promise"});
        continue;
      }
      auto record = read(*id);
      if (record) {
        records.push_back(*std::move(record));
      } else if (record.error().code == Errc::corrupt) {
        problems.push_back(record.error());
      } else if (record.error().code != Errc::not_found) {
        return std::unexpected(record.error());
      }
    }
    if (failed) {
      return std::unexpected(
          Error{Errc::unavailable, "the folder " + folder_.string() + ": " + failed.message()});
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
  void prepare(std::error_code& failed) {
    if (std::filesystem::create_directories(folder_, failed)) {
      // The names of new folders, too, shall outlive a power cut.
      for (auto path = folder_; path.has_relative_path(); path = path.parent_path()) {
        const detail::Handle above(
            ::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (above.good()) fsync(above.get());
      }
    }
    if (!failed) clean_up();
  }

  std::optional<Error> unusable(std::string_view id) const {
    if (broken_) return broken_;
    if (detail::name_of(id).size() > longest_name) {
      return Error{Errc::invalid_argument, "the id is too long for the name of a file"};
    }
    return std::nullopt;
  }

  detail::Handle open_folder() const {
    return detail::Handle(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }

  // The folder itself is what is locked.
  Result<detail::Locked> take(int how) const {
    auto folder = open_folder();
    if (!folder.good() || !detail::lock_file(folder.get(), how)) {
      return std::unexpected(detail::os_error("can't lock the folder", folder_.string(), errno));
    }
    return detail::Locked(std::move(folder));
  }

  static bool is_ours(const std::string& name) { return name == temporary_name; }

  // What one left who died. Nobody waits for it: whoever holds the lock cleans up itself.
  void clean_up() const {
    if (take(LOCK_EX | LOCK_NB)) ::unlink((folder_ / temporary_name).c_str());
  }

  static constexpr const char* temporary_name = ".new";

  Result<void> sync_folder() const {
    const auto folder = open_folder();
    if (!folder.good() || fsync(folder.get()) != 0) {
      return std::unexpected(detail::os_error("can't sync the folder", folder_.string(), errno));
    }
    return {};
  }

  // Without a lock: a file is replaced as a whole. A settled record counts when its name is safe,
  // also when the one who wrote it has died on the way.
  Result<PromiseRecord> read(const std::string& id) const {
    const auto name = detail::name_of(id);
    const auto no = [&name](int number) {
      if (number == ENOENT) {
        return std::unexpected(Error{Errc::not_found, "there is no promise in " + name});
      }
      const bool ours = number == EMFILE || number == ENFILE || number == ENOMEM;
      auto error = detail::os_error("can't read", name, number);
      if (!ours) error.code = Errc::corrupt;
      return std::unexpected(std::move(error));
    };
    const detail::Handle file(
        ::open((folder_ / name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!file.good()) return no(errno);
    std::string text;
    std::array<char, 4096> part{};
    while (true) {
      const auto got = ::read(file.get(), part.data(), part.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return no(errno);
      if (got == 0) break;
      text.append(part.data(), static_cast<std::size_t>(got));
    }
    auto record = detail::from_text(id, text);
    if (record && record->state != State::pending) {
      if (auto synced = sync_folder(); !synced) return std::unexpected(synced.error());
    }
    return record;
  }

  // With the lock.
  Result<void> write(const PromiseRecord& record) const {
    const auto text = detail::to_text(record);
    if (!text) return std::unexpected(text.error());
    const auto name = detail::name_of(record.id);
    const auto target = folder_ / name;
    const auto temporary = folder_ / temporary_name;
    const auto no = [&](const char* what) {
      auto error = detail::os_error(what, name, errno);
      ::unlink(temporary.c_str());
      return std::unexpected(std::move(error));
    };
    ::unlink(temporary.c_str());  // of one who died
    detail::Handle file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!file.good()) return no("can't write");
    for (std::string_view left = *text; !left.empty();) {
      const auto done = ::write(file.get(), left.data(), left.size());
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) return no("can't write");
      left.remove_prefix(static_cast<std::size_t>(done));
    }
    if (fsync(file.get()) != 0) return no("can't sync");
    if (file.close() != 0 && errno != EINTR) return no("can't close");
    if (::rename(temporary.c_str(), target.c_str()) != 0) return no("can't rename");
    return sync_folder();
  }

  static constexpr std::size_t longest_name = 255;

  std::filesystem::path folder_;  // this and broken_: constant once made
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
    const auto record = storage.create_if_absent(id);
    if (!record) return std::unexpected(record.error());
    return DurablePromise(storage, std::move(id));
  }

  Result<void> resolve(T value) {
    PromiseRecord record;
    record.state = State::resolved;
    if (auto why = detail::to_value(value, record.value)) return std::unexpected(*std::move(why));
    return settle(std::move(record));
  }

  Result<void> reject(Error error) {
    PromiseRecord record;
    record.state = State::rejected;
    record.error = std::move(error);
    return settle(std::move(record));
  }

  Result<T> await(const Context& context) const {
    detail::Waiters::Waiter waiter(id_);  // before the look
    while (true) {
      const bool last = context.done();  // an outcome that is there by now is not missed
      const auto record = storage_->load(id_);
      if (!record) return std::unexpected(record.error());
      if (record->state != State::pending) return outcome(*record);
      if (last) return std::unexpected(*context.error());
      const auto handed = waiter.wait(context, std::chrono::milliseconds(20));
      if (handed) return outcome(*handed);
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
    detail::Waiters::instance().hand_over(*stands);
    if (stands->state == record.state) {
      const bool equal = record.state == State::resolved ? detail::same(stands->value, record.value)
                                                         : stands->error == record.error;
      if (equal) return {};
    }
    return std::unexpected(
        Error{Errc::already_settled, "the promise was settled with something else"});
  }

  static Result<T> outcome(const PromiseRecord& record) {
    if (record.state == State::rejected) return std::unexpected(*record.error);
    try {
      return Result<T>(std::in_place, record.value.template get<T>());
    } catch (...) {
      return std::unexpected(Error{Errc::corrupt, "the value is of another type: " +
                                                      error_from_current_exception().message});
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
