#include "story/story.hpp"

#include "story/drawing.hpp"
#include "story/lanes.hpp"
#include "story/scene.hpp"

namespace explorer {

const char* name_of(FailureKind kind) {
  switch (kind) {
    case FailureKind::none:
      return "none";
    case FailureKind::deadlock:
      return "deadlock";
    case FailureKind::lost_wakeup:
      return "lost wake-up";
    case FailureKind::data_race:
      return "data race";
    case FailureKind::use_after_free:
      return "use after free";
    case FailureKind::use_after_return:
      return "use after return";
    case FailureKind::livelock:
      return "livelock";
    case FailureKind::left_behind:
      return "thread left behind";
    case FailureKind::misuse:
      return "misuse";
    case FailureKind::escaped_exception:
      return "escaped exception";
    case FailureKind::check_failed:
      return "failed check";
    case FailureKind::crash:
      return "crash";
    case FailureKind::cannot_explore:
      return "cannot be explored";
    case FailureKind::nondeterminism:
      return "nondeterminism";
  }
  return "unknown";
}

Story tell_story(const Shared& memory, const std::string& test, int columns) {
  Scene scene = make_scene(memory, test);
  return {.kind = name_of(memory.failure.kind),
          .headline = scene.headline,
          .lanes = draw_lanes(scene, columns),
          .svg = draw_svg(scene),
          .chrome_trace = write_chrome_trace(scene),
          .step_count = static_cast<int>(scene.steps.size())};
}

}  // namespace explorer
