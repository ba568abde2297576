#include "machine.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <limits>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <thread>

namespace grader {
namespace fs = std::filesystem;
namespace {

unsigned long first_number(const char* file, unsigned long otherwise) {
  unsigned long value = 0;
  return std::ifstream(file) >> value ? value : otherwise;
}

// The machine's, and what one user may have: with fewer threads on all of it nobody reached either.
unsigned long thread_limit() {
  constexpr auto none = std::numeric_limits<unsigned long>::max();
  rlimit own{none, none};
  ::getrlimit(RLIMIT_NPROC, &own);
  return std::min({first_number("/proc/sys/kernel/threads-max", none),
                   first_number("/proc/sys/kernel/pid_max", none),
                   static_cast<unsigned long>(own.rlim_cur)});
}

// "0.20 0.18 0.12 1/80 11206": running, and all; 0: unknown.
unsigned long threads_now() {
  std::ifstream load("/proc/loadavg");
  std::string average;
  unsigned long running = 0;
  unsigned long all = 0;
  char slash = 0;
  load >> average >> average >> average >> running >> slash >> all;
  return load ? all : 0;
}

// Of each control group that counts threads, ours and those around it. In a container the outermost
// one is all that can be seen.
std::vector<fs::path> thread_groups() {
  std::vector<fs::path> files;
  std::ifstream groups("/proc/self/cgroup");  // "8:pids:/some/group", or "0::/some/group"
  for (std::string line; std::getline(groups, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const auto what = line.substr(first + 1, second - first - 1);
    if (!what.empty() && !what.contains("pids")) continue;
    for (fs::path group = line.substr(second + 1);; group = group.parent_path()) {
      for (const char* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/unified"}) {
        auto file = root / group.relative_path() / "pids.events";
        std::error_code none;
        if (fs::exists(file, none)) files.push_back(std::move(file));
      }
      if (!group.has_relative_path()) break;
    }
  }
  return files;
}

}  // namespace

unsigned long out_of_memory_kills() {
  std::ifstream counters("/proc/vmstat");
  std::string name;
  unsigned long value = 0;
  while (counters >> name >> value) {
    if (name == "oom_kill") return value;
  }
  return 0;
}

MachineTime machine_time() {
  std::ifstream stat("/proc/stat");  // "cpu  user nice system idle iowait irq softirq steal ..."
  std::string name;
  stat >> name;
  MachineTime time;
  for (int field = 0; field < 8; ++field) {
    std::uint64_t ticks = 0;
    stat >> ticks;
    time.all += ticks;
    if (field == 3) time.idle = ticks;
  }
  return time;
}

double idle_share(MachineTime before, MachineTime after) {
  if (after.all <= before.all || after.idle < before.idle) return 0;
  return static_cast<double>(after.idle - before.idle) /
         static_cast<double>(after.all - before.all);
}

double crowding() {
  double load = 0;
  if (::getloadavg(&load, 1) != 1) return 1;
  return load / std::max(1U, std::thread::hardware_concurrency());
}

ThreadWatch::ThreadWatch()
    : groups_(thread_groups()), most_threads_(thread_limit()), refusals_before_(refusals()) {}

bool ThreadWatch::have_room() const {
  return threads_now() < most_threads_ - most_threads_ / 10 && refusals() == refusals_before_;
}

unsigned long ThreadWatch::refusals() const {
  unsigned long all = 0;
  for (const auto& file : groups_) {
    std::ifstream events(file);  // "max 17"
    std::string name;
    unsigned long count = 0;
    if (events >> name >> count) all += count;
  }
  return all;
}

bool write_line(const UniqueFd& fd, std::string_view line) {
  const std::string text = std::string(line) + "\n";
  return ::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(text.size());
}

}  // namespace grader
