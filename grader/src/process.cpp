#include "process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine.hpp"
#include "process_tree.hpp"
#include "spawned.hpp"

namespace grader {
namespace {

using SteadyClock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto look_every = 20ms;    // at memory and processes
constexpr int thorough_every = 12;   // looks
constexpr auto drain_limit = 500ms;  // for pipes somebody else still holds
constexpr int last_reads = 32;       // more than a socket holds

double seconds_of(std::uint64_t ticks) {
  static const auto per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
  return static_cast<double>(ticks) / per_second;
}

// The first and the last part of what a program printed.
class Keeper {
 public:
  explicit Keeper(std::size_t limit) : half_(limit / 2) {}

  void add(std::string_view bytes) {
    total_ += bytes.size();
    const auto front = std::min(bytes.size(), half_ - std::min(half_, head_.size()));
    head_ += bytes.substr(0, front);
    tail_ += bytes.substr(front);
    if (tail_.size() > 2 * half_) tail_.erase(0, tail_.size() - half_);
  }

  std::size_t total() const { return total_; }

  std::string text() const {
    if (tail_.size() <= half_) return head_ + tail_;
    return head_ + "\n[...]\n" + tail_.substr(tail_.size() - half_);
  }

 private:
  std::size_t half_;
  std::size_t total_ = 0;
  std::string head_;
  std::string tail_;
};

// One run from spawn to the last byte.
class Supervisor {
 public:
  Supervisor(const Command& command, const OuterLimits& limits, ChannelEnds* channel,
             const std::stop_token& stop)
      : boxed_(command.boxed),
        limits_(limits),
        channel_(channel),
        stop_(stop),
        out_(limits.kept_bytes),
        err_(limits.kept_bytes),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        child_(spawn_child(command, channel)) {}

  ProcessResult run() {
    result_.trouble = child_.trouble;
    if (child_.pid < 0) return result_;
    if (channel_ != nullptr) channel_->theirs = UniqueFd();
    const std::stop_callback waker(stop_, [this] {
      const std::uint64_t one = 1;
      [[maybe_unused]] const auto put = ::write(wake_.get(), &one, sizeof one);
    });
    watch();
    result_.seconds = std::chrono::duration<double>(SteadyClock::now() - start_).count();
    result_.idle_share = idle_share(machine_before_, machine_time());
    result_.set_up = was_set_up();
    look_for_room();
    result_.out = out_.text();
    result_.err = err_.text();
    return result_;
  }

 private:
  void watch() {
    while (open_pipes() || !reaped_) {
      if (reaped_ && SteadyClock::now() > reaped_at_ + drain_limit) break;
      wait_for_events();
      if (!reaped_) reap_if_ended();
      if (!reaped_ && !killed_) enforce();
    }
    if (!reaped_) kill_all(Ending::interrupted);
    // What it sent before it ended is there by now, however late we come to look.
    for (int i = 0; i < last_reads && read_channel(); ++i) {
    }
  }

  bool open_pipes() const { return child_.out || child_.err || (channel_ && channel_->ours); }

  void wait_for_events() {
    std::array<pollfd, 5> polled = {{{child_.out ? child_.out.get() : -1, POLLIN, 0},
                                     {child_.err ? child_.err.get() : -1, POLLIN, 0},
                                     {channel_ ? channel_->ours.get() : -1, POLLIN, 0},
                                     {reaped_ ? -1 : child_.pidfd.get(), POLLIN, 0},
                                     {killed_ ? -1 : wake_.get(), POLLIN, 0}}};
    ::poll(polled.data(), polled.size(), static_cast<int>(look_every.count()));
    if (polled[0].revents != 0) read_from(child_.out, out_);
    if (polled[1].revents != 0) read_from(child_.err, err_);
    if (polled[2].revents != 0) read_channel();
  }

  void read_from(UniqueFd& fd, Keeper& keeper) {
    std::array<char, 64 * 1024> buffer;
    const auto got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) return;
    if (got <= 0) {
      fd = UniqueFd();
      return;
    }
    keeper.add({buffer.data(), static_cast<std::size_t>(got)});
  }

  // False: there is nothing now, or nothing more to come.
  bool read_channel() {
    if (channel_ == nullptr || !channel_->ours) return false;
    std::array<char, 64 * 1024> buffer;
    const auto got = ::recv(channel_->ours.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return false;
    if (got <= 0) {
      channel_->ours = UniqueFd();
      return false;
    }
    quiet_since_ = SteadyClock::now();
    heard_ = true;
    channel_->on_bytes({buffer.data(), static_cast<std::size_t>(got)});
    return true;
  }

  // The mark stays in its pipe: whoever wrote it has gone on to be the program.
  bool was_set_up() const {
    pollfd mark{child_.mark ? child_.mark.get() : -1, POLLIN, 0};
    return ::poll(&mark, 1, 0) == 1 && (mark.revents & POLLIN) != 0;
  }

  void look_for_room() {
    if (result_.room_for_threads) result_.room_for_threads = threads_.have_room();
  }

  void reap_if_ended() {
    int status = 0;
    if (::waitpid(child_.pid, &status, WNOHANG) != child_.pid) return;
    reaped_ = true;
    reaped_at_ = SteadyClock::now();
    if (WIFEXITED(status)) result_.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) result_.signal = WTERMSIG(status);
    if (!killed_) result_.ending = child_.trouble.empty() ? Ending::exited : Ending::not_started;
  }

  void enforce() {
    const auto now = SteadyClock::now();
    if (stop_.stop_requested()) return kill_all(Ending::interrupted);
    if (limits_.wall != 0ms && now > start_ + limits_.wall) return kill_all(Ending::out_of_time);
    if (limits_.output_bytes != 0 && out_.total() + err_.total() > limits_.output_bytes) {
      return kill_all(Ending::flood);
    }
    if (now < next_look_) return;
    next_look_ = now + look_every;
    look_for_room();
    const auto usage = usage_of(process_tree(child_.pid, ++looks_ % thorough_every == 0));
    result_.peak_memory = std::max(result_.peak_memory, usage.memory_bytes);
    result_.peak_threads = std::max(result_.peak_threads, usage.threads);
    if (limits_.memory_bytes != 0 && usage.memory_bytes > limits_.memory_bytes) {
      return kill_all(Ending::out_of_memory);
    }
    if (limits_.processes != 0 && usage.processes > limits_.processes) {
      return kill_all(Ending::too_many_processes);
    }
    result_.cpu_seconds = std::max(result_.cpu_seconds, seconds_of(usage.cpu_ticks));
    if (limits_.silent != 0ms && !heard_ &&
        std::chrono::duration<double>(result_.cpu_seconds) > limits_.silent) {
      return kill_all(Ending::out_of_time);
    }
    if (!usage.all_asleep || usage.cpu_ticks != last_ticks_) quiet_since_ = now;
    last_ticks_ = usage.cpu_ticks;
    result_.stopped = usage.stopped;
    const auto stuck = usage.stopped ? limits_.stopped : limits_.stuck;
    if (stuck != 0ms && now > quiet_since_ + stuck) kill_all(Ending::stuck);
  }

  // In a sandbox the first kill is enough, and the kernel does the rest at once; without one,
  // whoever made a session of its own is found through the tree.
  void kill_all(Ending why) {
    result_.ending = why;
    killed_ = true;
    std::vector<pid_t> tree;
    if (!boxed_) tree = process_tree(child_.pid, true);
    ::kill(-child_.pid, SIGKILL);
    ::kill(child_.pid, SIGKILL);
    for (const pid_t pid : tree) ::kill(pid, SIGKILL);
  }

  const bool boxed_;
  const OuterLimits& limits_;
  ChannelEnds* channel_;
  const std::stop_token& stop_;
  Keeper out_;
  Keeper err_;
  UniqueFd wake_;
  SteadyClock::time_point start_ = SteadyClock::now();
  Spawned child_;
  ProcessResult result_;
  bool killed_ = false;
  bool reaped_ = false;
  bool heard_ = false;  // something came over the channel
  const MachineTime machine_before_ = machine_time();
  const ThreadWatch threads_;
  SteadyClock::time_point reaped_at_;
  SteadyClock::time_point next_look_ = start_;
  SteadyClock::time_point quiet_since_ = start_;
  std::uint64_t last_ticks_ = 0;
  int looks_ = 0;
};

}  // namespace

ChannelEnds make_channel_ends(int number) {
  std::array<int, 2> fds;
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) return {};
  ChannelEnds ends;
  ends.ours = UniqueFd(fds[0]);
  ends.theirs = UniqueFd(fds[1]);
  ends.number = number;
  return ends;
}

ProcessResult run_process(const Command& command, const OuterLimits& limits, ChannelEnds* channel,
                          std::stop_token stop) {
  return Supervisor(command, limits, channel, stop).run();
}

}  // namespace grader
