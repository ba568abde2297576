// Other processes for a test: the test program runs itself again in another role.
//
//   WORKBOOK_ROLE(settle_in_a_loop) {           // std::vector<std::string> arguments -> int
//     ...
//     workbook::tell("acknowledged 17");        // a line for the parent
//     return 0;
//   }
//   workbook::Child child("settle_in_a_loop", {folder});
//   while (auto line = child.line()) ...
//   child.kill();
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace workbook {

using Role = int (*)(const std::vector<std::string>& arguments);

// For WORKBOOK_ROLE.
struct RegisteredRole {
  RegisteredRole(const char* name, Role role);
};

// For main(): when this process was started as a Child, plays its role and returns the exit status.
std::optional<int> play_role(int argc, char** argv);

// In a role: sends one line to the parent, whole or not at all, and before it returns: a process
// that is killed right after has said it.
void tell(std::string_view line);

// A process that runs a role. It dies with the thread that started it, so that a crash of the test
// leaves nothing behind. For one thread at a time.
class Child {
 public:
  enum class Start : bool {
    program,  // a new program: nothing of the test's memory is left
    fork,  // a copy of this process: ten times faster; only while no other thread of the test runs
  };

  // Throws std::system_error when the machine has no process to give.
  Child(std::string_view role, const std::vector<std::string>& arguments,
        Start start = Start::program);
  ~Child();  // kills it when it still runs
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;

  // The next line that the role told; waits for it. nullopt: it has ended and everything was read.
  std::optional<std::string> line();
  // Whether line() would return at once.
  bool ready() const;

  void kill();    // SIGKILL; what it told before can still be read
  void freeze();  // SIGSTOP
  void thaw();    // SIGCONT
  int wait();     // its wait status, see waitpid(2)

  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  int pipe_ = -1;
  std::string read_;  // beyond the last line
  std::optional<int> status_;
};

}  // namespace workbook

#define WORKBOOK_ROLE(name)                                                                       \
  static int workbook_role_##name(const std::vector<std::string>& arguments);                     \
  static const workbook::RegisteredRole workbook_role_entry_##name(#name, &workbook_role_##name); \
  static int workbook_role_##name([[maybe_unused]] const std::vector<std::string>& arguments)
