// What the tests of task 15 share: a folder of their own, a promise's file, an ear at the system
// calls.
#pragma once

#include <cerrno>
#include <dlfcn.h>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <mutex>
#include <ostream>
#include <set>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "durable_promise.hpp"
#include "testing/kit.hpp"
#include "testing/process.hpp"

// In words, also inside of what else is compared.
template <>
class testing::internal::UniversalPrinter<futures::State> {
 public:
  static void Print(const futures::State& state, std::ostream* out) {
    *out << (state == futures::State::pending    ? "pending"
             : state == futures::State::resolved ? "resolved"
                                                 : "rejected");
  }
};

namespace durable_suite {

using namespace futures;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "promises-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    fs::permissions(path_, fs::perms::owner_all, ignored);
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const fs::path& path() const { return path_; }
  fs::path promises() const { return path_ / "promises"; }

  // Every file below the promises' folder, wherever the learner puts it.
  std::set<fs::path> files() const {
    std::set<fs::path> found;
    for (const auto& entry : fs::recursive_directory_iterator(promises())) {
      if (entry.is_regular_file()) found.insert(entry.path());
    }
    return found;
  }

  // Those that mention the text.
  std::vector<fs::path> files_with(const std::string& text) const {
    std::vector<fs::path> found;
    for (const auto& path : files()) {
      std::stringstream content;
      content << std::ifstream(path).rdbuf();
      if (content.str().find(text) != std::string::npos) found.push_back(path);
    }
    return found;
  }

 private:
  fs::path path_;
};

// A wait without an end of its own: the watchdog has one.
inline Context patiently() { return Context::background(); }

// What a settling call did to the disk, in order.
enum class Call { sync_file, rename, sync_folder };

constexpr bool hears_calls = workbook::flavour() == workbook::Flavour::plain;

// Hears fsync and its kin and rename and its kin of this process. Not thread-safe but for the calls
// it hears: set it up, let threads work, look when they have ended. What is said about the order is
// about one thread.
class Ear {
 public:
  // What a thread's syncs come to: as it is; full: no file gets there.
  enum class Disk { as_it_is, full };
  static inline thread_local Disk disk = Disk::as_it_is;

  static Ear& instance() {
    static auto* ear = new Ear;
    return *ear;
  }

  // Called before and after each call that is heard, by the thread that makes it, with its number
  // (from 0) and whether it is over.
  std::function<void(int call, bool over)> at_call;

  void start() {
    const std::lock_guard lock(mutex_);
    listening_ = true;
    synced_.clear();
    story_.clear();
    problems_.clear();
    renamed_ = unsynced_folder_ = false;
    count_ = 0;
  }

  void stop() {
    const std::lock_guard lock(mutex_);
    listening_ = false;
    at_call = nullptr;
  }

  std::vector<std::string> problems() const {
    auto all = problems_;
    if (!renamed_) all.push_back("no file was renamed into place");
    if (unsynced_folder_) all.push_back("the folder was not synced after the last rename");
    return all;
  }
  std::string story() const { return story_; }
  int calls() const { return count_; }

  int synced(int fd, const char* name, int (*real)(int)) {
    const int number = before();
    struct stat about{};
    const bool known = fstat(fd, &about) == 0;
    const bool full = disk == Disk::full && known && S_ISREG(about.st_mode);
    const int result = full ? -1 : real(fd);
    const int error = full ? ENOSPC : errno;
    if (result == 0 && known) {
      const std::lock_guard lock(mutex_);
      if (listening_) {
        const bool folder = S_ISDIR(about.st_mode);
        story_ += std::string(folder ? "sync the folder" : "sync a file") + " (" + name + "), ";
        if (folder) unsynced_folder_ = false;
        synced_[{about.st_dev, about.st_ino}] = about.st_size;
      }
    }
    after(number);
    errno = error;
    return result;
  }

  template <class Real>
  int renamed(int from_folder, const char* from, const char* to, Real real) {
    const int number = before();
    struct stat about{};
    const bool known = fstatat(from_folder, from, &about, 0) == 0;
    const int result = real();
    if (result == 0 && known) {
      const std::lock_guard lock(mutex_);
      if (listening_) {
        renamed_ = unsynced_folder_ = true;
        story_ += "rename to " + fs::path(to).filename().string() + ", ";
        const auto synced = synced_.find({about.st_dev, about.st_ino});
        if (synced == synced_.end()) {
          problems_.push_back("a file was renamed into place before its content was synced");
        } else if (synced->second != about.st_size) {
          problems_.push_back("a file was written to between its sync and its rename");
        }
      }
    }
    after(number);
    return result;
  }

 private:
  int before() {
    std::function<void(int, bool)> hook;
    int number = 0;
    {
      const std::lock_guard lock(mutex_);
      if (!listening_) return -1;
      number = count_++;
      hook = at_call;
    }
    if (hook) hook(number, false);
    return number;
  }

  void after(int number) {
    std::function<void(int, bool)> hook;
    {
      const std::lock_guard lock(mutex_);
      if (number >= 0) hook = at_call;
    }
    if (hook) hook(number, true);
  }

  std::mutex mutex_;
  bool listening_ = false;
  int count_ = 0;
  bool renamed_ = false;
  bool unsynced_folder_ = false;
  std::map<std::pair<dev_t, ino_t>, off_t> synced_;
  std::string story_;
  std::vector<std::string> problems_;
};

}  // namespace durable_suite
