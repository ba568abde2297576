#include "story/words.hpp"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>

namespace explorer {
namespace {

std::string holder_text(int thread) {
  return thread < max_threads ? ", which " + thread_name(thread) + " holds" : "";
}

std::string bytes(const Event& event) {
  if (event.size == 0) return "the memory";
  return event.size == 1 ? "a byte" : std::to_string(event.size) + " bytes";
}

std::string woken(const Event& event) {
  if (event.value == 0) return " (nobody waits)";
  if (event.other < max_threads) return ", wakes " + thread_name(event.other);
  return ", wakes " + std::to_string(event.value);
}

}  // namespace

std::string object_name(const Scene& scene, int number) {
  if (number <= 0 || number >= static_cast<int>(scene.objects.size())) return "something";
  const std::string& name = scene.objects[static_cast<std::size_t>(number)];
  return name.empty() ? "something" : name;
}

std::string waiting_for(const ThreadReport& thread, const Scene& scene) {
  std::string name = object_name(scene, thread.object);
  switch (thread.waits_for) {
    case WaitFor::mutex:
    case WaitFor::rwlock:
      return "waits for " + name + (thread.holder >= 0 ? holder_text(thread.holder) : "");
    case WaitFor::condition:
      return "waits on " + name;
    case WaitFor::once:
      return "waits for the one-time initialisation of " + thread_name(thread.holder);
    case WaitFor::futex:
      return "waits on " + name;
    case WaitFor::semaphore:
      return "waits for " + name;
    case WaitFor::join:
      return "waits for " + thread_name(thread.holder) + " to end";
    case WaitFor::end:
      return "has finished the test body";
    case WaitFor::sleep:
      return "sleeps";
    case WaitFor::nothing:
      break;
  }
  return "waits";
}

std::string duration(Nanoseconds time) {
  char text[40];
  double ns = static_cast<double>(time);
  if (ns >= 1e9)
    std::snprintf(text, sizeof text, "%.4g s", ns / 1e9);
  else if (ns >= 1e6)
    std::snprintf(text, sizeof text, "%.4g ms", ns / 1e6);
  else if (ns >= 1e3)
    std::snprintf(text, sizeof text, "%.4g us", ns / 1e3);
  else
    std::snprintf(text, sizeof text, "%.0f ns", ns);
  return text;
}

std::string words_for(const Event& event, const Scene& scene) {
  std::string name = object_name(scene, event.object);
  std::string value = std::to_string(event.value);
  bool slept = event.flags & flag_slept, failed = event.flags & flag_failed;
  switch (event.op) {
    case Op::start:
      return "begins";
    case Op::exit:
      return "ends";
    case Op::create:
      return "starts " + thread_name(event.other);
    case Op::join:
      return slept ? "waits for " + thread_name(event.other) + " to end"
                   : "joins " + thread_name(event.other);
    case Op::finish:
      return "the test body is over";
    case Op::lock:
    case Op::timed_lock:
    case Op::write_lock:
      return slept    ? "waits for " + name + holder_text(event.other)
             : failed ? name + " is taken"
                      : "locks " + name;
    case Op::read_lock:
      return slept    ? "waits for " + name + holder_text(event.other)
             : failed ? name + " is taken"
                      : "locks " + name + " (shared)";
    case Op::try_lock:
      return failed ? "tries " + name + ": taken" : "locks " + name;
    case Op::unlock:
    case Op::rw_unlock:
      return "unlocks " + name;
    case Op::wait:
      return "waits on " + name + ", lets go of the mutex";
    case Op::wake:
      if (event.flags & flag_spurious) return "wakes up for no reason (" + name + ")";
      return event.flags & flag_timed_out ? "its time on " + name + " is up"
                                          : "wakes up (" + name + ")";
    case Op::notify_one:
      return "notifies one on " + name + woken(event);
    case Op::notify_all:
      return "notifies all on " + name + woken(event);
    case Op::once:
      return slept ? "waits for an initialisation" : "initialises " + name;
    case Op::once_done:
      return failed ? "the initialisation threw" : "initialised " + name;
    case Op::futex_wait:
      return failed ? name + " has changed already"
                    : "sleeps on " + name + " (still " + value + ")";
    case Op::futex_woke:
      return event.flags & flag_timed_out ? "its time on " + name + " is up"
                                          : "wakes up (" + name + ")";
    case Op::futex_wake:
      return "wakes sleepers on " + name + woken(event);
    case Op::semaphore_wait:
      return slept ? "waits for " + name : failed ? name + " is not to be had" : "takes " + name;
    case Op::semaphore_post:
      return "gives " + name;
    case Op::yield:
      return "yields";
    case Op::sleep:
      return "sleeps " + duration(static_cast<Nanoseconds>(event.value));
    case Op::clock:
      return "looks at the clock again";
    case Op::load:
      return "reads " + name + ": " + value + (event.flags & flag_stale ? ", an older value" : "");
    case Op::store:
      return "sets " + name + " to " + value;
    case Op::exchange:
      return "changes " + name + " to " + value;
    case Op::compare_exchange:
      if (event.flags & flag_spurious)
        return "compare-exchange of " + name + " fails for no reason";
      return failed ? "compare-exchange fails: " + name + " is " + value
                    : "changes " + name + " to " + value;
    case Op::fence:
      return "fence";
    case Op::read:
      return (event.size ? "READS " : "USES ") + bytes(event);
    case Op::write:
      return "WRITES " + bytes(event);
    case Op::free:
      return "FREES the memory";
    case Op::crash:
      return "CRASHES";
    case Op::check:
      return "the check FAILS";
    case Op::none:
    case Op::destroy_condition:
      break;
  }
  return "goes on";
}

std::string ending_of(const Shared& memory, const Scene& scene, int thread) {
  const ThreadReport& report = memory.threads[thread];
  std::string text = report.state == ThreadState::finished  ? "has ended"
                     : report.state == ThreadState::blocked ? waiting_for(report, scene)
                     : thread == memory.failure.thread && memory.failure.kind != FailureKind::none
                         ? "is where it went wrong"
                         : "could go on";
  if (report.state == ThreadState::blocked && report.deadline != never)
    text += ", with a time limit";
  std::string held;
  for (int i = 1; i < memory.object_count; ++i) {
    const ObjectReport& object = memory.objects[i];
    bool lock = object.kind == ObjectKind::mutex || object.kind == ObjectKind::rwlock;
    if (lock && object.owner == thread && !scene.objects[static_cast<std::size_t>(i)].empty())
      held += (held.empty() ? "" : ", ") + object_name(scene, i);
  }
  return held.empty() ? text : text + "; holds " + held;
}

}  // namespace explorer
