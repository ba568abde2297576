#include "story/story.hpp"

#include <cstdio>

namespace explorer {

const char* name_of(FailureKind kind) {
  switch (kind) {
    case FailureKind::none: return "none";
    case FailureKind::deadlock: return "deadlock";
    case FailureKind::lost_wakeup: return "lost wake-up";
    case FailureKind::data_race: return "data race";
    case FailureKind::use_after_free: return "use after free";
    case FailureKind::use_after_return: return "use after return";
    case FailureKind::livelock: return "livelock";
    case FailureKind::left_behind: return "thread left behind";
    case FailureKind::misuse: return "misuse";
    case FailureKind::escaped_exception: return "escaped exception";
    case FailureKind::check_failed: return "failed check";
    case FailureKind::crash: return "crash";
    case FailureKind::cannot_explore: return "cannot be explored";
    case FailureKind::nondeterminism: return "nondeterminism";
  }
  return "unknown";
}

Story tell_story(const Shared& memory, const std::string&, int) {
  Story s;
  s.kind = name_of(memory.failure.kind);
  s.headline = s.kind + ": " + memory.failure.message;
  s.lanes = s.headline;
  char b[200];
  for (int i = 0; i < memory.event_count; ++i) {
    const Event& e = memory.events[i];
    std::snprintf(b, sizeof b, "\n%u T%u op%d obj%d val %lld flags %d pc %lx", e.step, e.thread, (int)e.op, e.object, (long long)e.value, e.flags, e.depth ? e.stack[0] : 0);
    s.lanes += b;
  }
  return s;
}

}  // namespace explorer
