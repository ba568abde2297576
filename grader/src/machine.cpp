#include "machine.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <sys/socket.h>
#include <thread>

namespace grader {

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

bool write_line(const UniqueFd& fd, std::string_view line) {
  const std::string text = std::string(line) + "\n";
  return ::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(text.size());
}

}  // namespace grader
