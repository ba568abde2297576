#include "story/words.hpp"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>

namespace explorer {
namespace {

std::string object_name(const Scene& scene, int number) {
  if (number <= 0 || number >= static_cast<int>(scene.objects.size())) return "something";
  const std::string& name = scene.objects[static_cast<std::size_t>(number)];
  return name.empty() ? "something" : name;
}

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

// The place of the last step of a thread on that memory, or of its last step at all.
const Step* step_of(const Scene& scene, const Access& access) {
  for (auto step = scene.steps.rbegin(); step != scene.steps.rend(); ++step) {
    const Event& event = *step->event;
    if (event.thread == access.thread && event.address / 8 == access.address / 8 && step->place)
      return &*step;
  }
  return nullptr;
}

std::string at_place(const Step* step) {
  return step && step->place ? " (" + step->place.brief() + ")" : "";
}

std::string action(const Access& access) {
  return access.frees ? "frees memory" : access.write ? "writes" : "reads";
}

std::string race_headline(const Failure& failure, const Scene& scene) {
  const Step* now = step_of(scene, failure.now);
  const Step* before = step_of(scene, failure.before);
  std::string other = thread_name(failure.before.thread);
  if (failure.now.frees)
    return "Freed too early: " + thread_name(failure.now.thread) + " frees memory" + at_place(now) +
           " that " + other + " has just used" + at_place(before) +
           "; nothing makes sure that it was done with it";
  return "Data race: " + thread_name(failure.now.thread) + " " + action(failure.now) +
         at_place(now) + " what " + other + " " + action(failure.before) + at_place(before) +
         ", and nothing orders the two";
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

// Somebody notified while nobody waited: most likely the reason.
std::string missed_notification(const Scene& scene, int object) {
  for (auto step = scene.steps.rbegin(); step != scene.steps.rend(); ++step) {
    const Event& event = *step->event;
    bool notify =
        event.op == Op::notify_one || event.op == Op::notify_all || event.op == Op::futex_wake;
    if (notify && event.object == object && event.value == 0)
      return " (" + thread_name(event.thread) + " notified" + at_place(&*step) +
             " when nobody was waiting yet)";
  }
  return "";
}

// Who can't go on because this one holds what they need: one of them might have done the waking.
std::string blocked_by(const Shared& memory, const Scene& scene, int holder) {
  for (int i = 0; i < memory.thread_count; ++i) {
    const ThreadReport& thread = memory.threads[i];
    bool lock = thread.waits_for == WaitFor::mutex || thread.waits_for == WaitFor::rwlock;
    if (thread.state == ThreadState::blocked && lock && thread.holder == holder)
      return ": " + thread_name(i) + " " + waiting_for(thread, scene);
  }
  return "";
}

std::string stuck_headline(const Shared& memory, const Scene& scene, bool body_over) {
  std::string start = body_over ? "Left behind: the test is over and " : "Waits for ever: ";
  for (int i = 0; i < memory.thread_count; ++i) {
    const ThreadReport& thread = memory.threads[i];
    bool could_be_woken = thread.waits_for == WaitFor::condition ||
                          thread.waits_for == WaitFor::futex ||
                          thread.waits_for == WaitFor::semaphore;
    if (thread.state == ThreadState::blocked && could_be_woken)
      return start + thread_name(i) + " " + waiting_for(thread, scene) +
             ", and nobody is left to wake it" + missed_notification(scene, thread.object) +
             blocked_by(memory, scene, i);
  }
  for (int i = 0; i < memory.thread_count; ++i) {
    const ThreadReport& thread = memory.threads[i];
    if (thread.state != ThreadState::finished && thread.waits_for != WaitFor::end)
      return start + thread_name(i) + " " +
             (thread.state == ThreadState::blocked ? waiting_for(thread, scene)
                                                   : "is still running");
  }
  return start + "every thread is blocked";
}

std::string deadlock_headline(const Shared& memory, const Scene& scene) {
  const Failure& failure = memory.failure;
  if (failure.message[0])
    return "Deadlock: " + thread_name(failure.thread) + " locks " +
           object_name(scene, failure.object) + ", which it already holds";
  std::string text = "Deadlock: ";
  // Follow the cycle once around.
  for (int i = 0; i < memory.thread_count; ++i) {
    int at = i, length = 0;
    do {
      at = memory.threads[at].state == ThreadState::blocked ? memory.threads[at].holder : -1;
      ++length;
    } while (at >= 0 && at != i && length <= max_threads);
    if (at != i) continue;
    do {
      if (at != i) text += "; ";
      text += thread_name(at) + " " + waiting_for(memory.threads[at], scene);
      at = memory.threads[at].holder;
    } while (at != i);
    return text;
  }
  return text + "every thread waits for another one";
}

std::string first_line(const char* text) {
  std::string line(text, std::strcspn(text, "\n"));
  return line;
}

std::string without(std::string text, std::string_view start) {
  if (text.starts_with(start)) text.erase(0, start.size());
  return text;
}

std::string check_headline(const Failure& failure) {
  std::string text = failure.message, flat;
  for (char c : text) flat += c == '\n' ? ' ' : c;
  while (flat.find("  ") != std::string::npos) flat.erase(flat.find("  "), 1);
  while (flat.ends_with(' ')) flat.pop_back();
  if (flat.size() > 300) flat = flat.substr(0, 297) + "...";
  const char* slash = std::strrchr(failure.file, '/');
  std::string place = failure.file[0] ? std::string(slash ? slash + 1 : failure.file) + ":" +
                                            std::to_string(failure.line)
                                      : "";
  return "A check fails in this order of steps" + (place.empty() ? "" : " (" + place + ")") + ": " +
         flat;
}

}  // namespace

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

std::string headline_for(const Shared& memory, const Scene& scene) {
  const Failure& failure = memory.failure;
  std::string who = thread_name(failure.thread);
  switch (failure.kind) {
    case FailureKind::none:
      return "No failure";
    case FailureKind::deadlock:
      return deadlock_headline(memory, scene);
    case FailureKind::lost_wakeup:
      return stuck_headline(memory, scene, false);
    case FailureKind::left_behind:
      if (failure.message[0])
        return "Left behind: the test is over and a thread is still running, even an hour (of "
               "virtual time) later";
      return stuck_headline(memory, scene, true);
    case FailureKind::data_race:
      return race_headline(failure, scene);
    case FailureKind::use_after_free:
      return "Use after free: " + who + " " + action(failure.now) +
             at_place(step_of(scene, failure.now)) + " memory that " +
             thread_name(failure.before.thread) + " freed" +
             at_place(step_of(scene, failure.before));
    case FailureKind::use_after_return:
      return "Use after return: " + who + " " + action(failure.now) +
             at_place(step_of(scene, failure.now)) + " a local variable of " +
             thread_name(failure.before.thread) + " whose function has returned";
    case FailureKind::livelock:
      return "No end: " + who + " keeps running, " + failure.message;
    case FailureKind::misuse: {
      std::string text = who + " " + without(failure.message, "it ");
      return failure.object ? text + " (" + object_name(scene, failure.object) + ")" : text;
    }
    case FailureKind::escaped_exception:
      return "An exception leaves a thread's function and ends the program: " +
             first_line(failure.message);
    case FailureKind::check_failed:
      return check_headline(failure);
    case FailureKind::crash: {
      if (failure.signal == 0) return failure.message;
      const char* name = strsignal(failure.signal);
      std::string text = "Crash: " + who + " gets " + (name ? name : "a signal");
      if (failure.signal == SIGABRT)
        text += " (std::terminate or a failed assert; a joinable std::thread destroyed?)";
      return text;
    }
    case FailureKind::cannot_explore:
      return std::string("Cannot be explored: ") + failure.message;
    case FailureKind::nondeterminism:
      return "The same decisions led elsewhere: the test depends on something outside";
  }
  return "";
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
