// What the watching side has to know about its own program and processor.
#pragma once

#include <sched.h>
#include <string>

namespace explorer {

// Tells the runtime where the program's code is and which library functions are formally racy.
void load_code_map();

// Eight hexadecimal digits that change when the program does.
std::string build_identity();

// The one processor that the threads of this process share: hand-overs are cheapest that way.
// Whoever has it while another program stays there too leaves it, because another may be free.
class Processor {
 public:
  // Seconds, from any beginning: on the wall's clock, and of this process on a processor.
  struct Times {
    double wall = 0;
    double effort = 0;
  };

  explicit Processor(const Times& now);  // the one it is on

  // Call it between schedules: threads that there are already stay where they are.
  void leave_if_crowded(const Times& now);

 private:
  cpu_set_t allowed_;
  Times looked_;
};

}  // namespace explorer
