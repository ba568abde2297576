// The first line of the story: what went wrong.
#include <algorithm>
#include <csignal>
#include <cstring>
#include <string>
#include <string_view>

#include "story/words.hpp"

namespace explorer {
namespace {

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

// What GoogleTest says on lines of their own, as a sentence: "Expected equality of these values:
// first + second = 7, 7 + 1 = 8; one result and one error were due".
std::string on_one_line(std::string_view message) {
  constexpr std::string_view which_is = "Which is: ";
  std::string flat;
  bool in_block = false;  // the lines that say what was compared, before the test's own words
  while (!message.empty()) {
    std::string_view line = message.substr(0, message.find('\n'));
    message.remove_prefix(std::min(line.size() + 1, message.size()));
    bool is_value = line.starts_with("  ");
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    if (line.empty()) continue;
    bool begins = flat.empty() || flat.ends_with(':');
    if (in_block && line.starts_with(which_is)) {
      line.remove_prefix(which_is.size());
      flat += " = ";
    } else if (!begins) {
      flat += !in_block ? " " : is_value ? ", " : "; ";
    } else if (!flat.empty()) {
      flat += ' ';
    }
    flat += line;
    in_block = is_value || line.starts_with("Expected") || line.starts_with("Value of: ");
  }
  while (flat.find("  ") != std::string::npos) flat.erase(flat.find("  "), 1);
  return flat;
}

std::string check_headline(const Failure& failure) {
  std::string flat = on_one_line(failure.message);
  if (flat.size() > 300) flat = flat.substr(0, 297) + "...";
  const char* slash = std::strrchr(failure.file, '/');
  std::string place = failure.file[0] ? std::string(slash ? slash + 1 : failure.file) + ":" +
                                            std::to_string(failure.line)
                                      : "";
  return "A check fails in this order of steps" + (place.empty() ? "" : " (" + place + ")") + ": " +
         flat;
}

}  // namespace

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

}  // namespace explorer
