// A server for a test, as a process of its own with a folder of its own.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

namespace workbook {

// The folder is made here and removed with the object. The server dies with the thread that started
// it, so that a crash of the test leaves no process behind: start it from the thread that runs the
// test, and keep that thread alive. For one thread at a time.
class ServerProcess {
 public:
  // Throws std::runtime_error when there is no folder to be had. `may_be_root`: some servers refuse
  // to run as root; then the folder and the processes are nobody's where the test is root's.
  ServerProcess(const std::string& name, bool may_be_root);
  ~ServerProcess();  // SIGKILLs what still runs
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const std::string& folder() const { return folder_; }

  // Starts a program, with its arguments. Throws std::runtime_error when the machine has no process
  // to give; a program that is not there has gone() soon.
  void start(std::vector<std::string> words);
  // Sends a signal, wakes it when it is stopped, and waits for its end. Nothing when it is gone.
  void stop(int signal);
  void signal(int number) const;

  // Whether it has ended by itself; then exit_status() is what waitpid() said.
  bool gone();
  int exit_status() const { return status_; }
  pid_t pid() const { return pid_; }  // 0: none

 private:
  std::string folder_;
  bool may_be_root_;
  pid_t pid_ = 0;
  int status_ = 0;
};

}  // namespace workbook
