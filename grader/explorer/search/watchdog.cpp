#include "search/watchdog.hpp"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <signal.h>
#include <sstream>
#include <string>
#include <unistd.h>

#include "search/child.hpp"

namespace explorer {
namespace {

constexpr double patience_when_asleep =
    2;  // seconds of the child's threads all sleeping in the kernel
constexpr double patience_when_busy = 10;  // seconds of processor time without a step

struct Activity {
  double processor_seconds = 0;
  bool asleep = true;  // no thread runs or is waiting for a processor
};

// What the child is doing, from /proc.
Activity activity_of(pid_t child) {
  Activity activity;
  std::error_code error;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(child) + "/task", error)) {
    std::ifstream file(task.path() / "stat");
    std::string line;
    std::getline(file, line);
    std::size_t after_name = line.rfind(')');
    if (after_name == std::string::npos) continue;
    std::istringstream rest(line.substr(after_name + 2));
    std::string state, skip;
    rest >> state;
    for (int i = 0; i < 10; ++i) rest >> skip;
    double user = 0, system = 0;
    rest >> user >> system;
    activity.processor_seconds += (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    activity.asleep &= state == "S";
  }
  return activity;
}

}  // namespace

bool watch_child(pid_t child, int pipe) {
  std::uint64_t beat = 0;
  double busy_since = 0;  // on the child's own processor clock
  double asleep_since = wall_seconds();
  for (;;) {
    pollfd end{pipe, POLLIN, 0};
    int ready = ::poll(&end, 1, 200);
    if (ready > 0 || (ready < 0 && errno != EINTR)) return false;
    Activity activity = activity_of(child);
    bool progress = shared->heartbeat != beat;
    beat = shared->heartbeat;
    if (progress) busy_since = activity.processor_seconds;
    if (progress || !activity.asleep) asleep_since = wall_seconds();
    if (wall_seconds() - asleep_since < patience_when_asleep &&
        activity.processor_seconds - busy_since < patience_when_busy)
      continue;
    ::kill(child, SIGKILL);
    return true;
  }
}

}  // namespace explorer
