#include "story/entries.hpp"

namespace explorer {
namespace {

bool is_shown(const Step& step, const Scene& scene) {
  if (step.shown == Shown::nothing) return false;
  switch (step.event->op) {
    case Op::start:
    case Op::exit:
      return false;
    case Op::create:
    case Op::join:
    case Op::finish:
      return scene.acts[step.event->thread];
    default:
      return true;
  }
}

// "reads x: 0" many times over is said once.
void add_action(Entry& entry, const std::string& words) {
  if (!entry.actions.empty()) {
    std::string& last = entry.actions.back();
    std::size_t times = last.rfind(" (x");
    if (last == words) {
      last += " (x2)";
      return;
    }
    if (times != std::string::npos && last.substr(0, times) == words) {
      int count = std::atoi(last.c_str() + times + 3);
      last = words + " (x" + std::to_string(count + 1) + ")";
      return;
    }
  }
  entry.actions.push_back(words);
}

}  // namespace

std::vector<Entry> entries_of(const Scene& scene) {
  std::vector<Entry> entries;
  Nanoseconds clock = 0;
  for (const Step& step : scene.steps) {
    if (!is_shown(step, scene)) continue;
    const Event& event = *step.event;
    bool same = !entries.empty() && entries.back().thread == event.thread &&
                entries.back().place.line == step.place.line &&
                entries.back().place.file == step.place.file && event.time == clock;
    if (!same)
      entries.push_back({.thread = event.thread,
                         .place = step.place,
                         .actions = {},
                         .clock_jump = event.time - clock,
                         .step = event.step});
    clock = event.time;
    if (step.shown == Shown::all) add_action(entries.back(), step.words);
  }
  return entries;
}

std::vector<int> shown_threads(const Scene& scene) {
  std::vector<int> threads;
  for (std::size_t i = 0; i < scene.acts.size(); ++i)
    if (scene.acts[i]) threads.push_back(static_cast<int>(i));
  if (threads.empty()) threads.push_back(0);
  return threads;
}

}  // namespace explorer
