#include "machine.hpp"

#include <fstream>
#include <string>
#include <sys/socket.h>

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

bool write_line(const UniqueFd& fd, std::string_view line) {
  const std::string text = std::string(line) + "\n";
  return ::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(text.size());
}

}  // namespace grader
