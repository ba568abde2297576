#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "unique_fd.hpp"

namespace grader {

struct Command {
  std::vector<std::string> argv;         // argv[0] is looked up in PATH
  std::vector<std::string> environment;  // "NAME=value"; the only ones the program sees
  std::string directory;                 // empty: the grader's own
  bool boxed = false;                    // has a process namespace of its own, which dies with it
  // Gives the program descriptor filter_number with a filter that keeps it from starting others.
  bool filtered = false;
  static constexpr int filter_number = 701;
  // Writes to its standard input as soon as what is around the program stands, and before the
  // program runs; see ProcessResult::set_up. Nobody else has anything to read or to write there.
  bool marks = false;
};

// What the grader enforces from outside. 0 means no limit.
struct OuterLimits {
  std::chrono::milliseconds wall{0};
  std::uint64_t memory_bytes = 0;       // resident, over the whole tree, looked at every 20 ms
  unsigned processes = 0;               // not threads
  std::size_t output_bytes = 0;         // stdout and stderr together; more ends the process
  std::size_t kept_bytes = 512 * 1024;  // of each: the first half and the last half are kept
  // Without a byte on the channel, a change of state or any use of the processor for so long, the
  // program is stuck where no watchdog of its own sees it. 0: not looked at.
  std::chrono::milliseconds stuck{0};
  // The same for a program of which a process was stopped: it does not go on by itself.
  std::chrono::milliseconds stopped{0};
  // Processor time until the first byte on the channel; more is Ending::out_of_time.
  std::chrono::milliseconds silent{0};
};

enum class Ending {
  exited,
  out_of_time,
  out_of_memory,
  too_many_processes,
  flood,
  stuck,
  interrupted,
  not_started
};

struct ProcessResult {
  Ending ending = Ending::not_started;
  int exit_code = -1;  // when it exited by itself, else -1
  int signal = 0;      // when a signal ended it (ours too)
  std::string out;
  std::string err;
  double seconds = 0;
  double cpu_seconds = 0;  // of the processes that were alive when we last looked
  double idle_share = 0;   // of the machine's processor time that nobody used meanwhile
  bool stopped = false;    // stuck: because it was stopped
  std::uint64_t peak_memory = 0;
  unsigned peak_threads = 0;
  bool set_up = false;           // a command that marks did so
  bool room_for_threads = true;  // the system has always had room for more of them
  std::string trouble;           // not_started: why
};

// A socket that the program gets under a fixed number.
struct ChannelEnds {
  UniqueFd ours;
  UniqueFd theirs;
  int number = -1;                                 // the program's descriptor
  std::function<void(std::string_view)> on_bytes;  // called in run_process's thread
};

// Both ends of a new channel whose end in the program is descriptor `number`.
ChannelEnds make_channel_ends(int number);

// Runs the command to its end and leaves nothing of it behind: it is the leader of its own session,
// and the whole tree is killed when a limit is passed or `stop` is requested. Blocks; any thread.
// The child also gets a SIGKILL when the calling thread dies.
ProcessResult run_process(const Command& command, const OuterLimits& limits, ChannelEnds* channel,
                          std::stop_token stop);

}  // namespace grader
