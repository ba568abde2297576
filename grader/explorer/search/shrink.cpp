#include "search/shrink.hpp"

#include <algorithm>
#include <cstddef>

namespace explorer {
namespace {

constexpr double search_seconds = 0.4;
constexpr double removal_seconds = 2;

class Shrinker {
 public:
  Shrinker(FailureKind kind, const RunOnce& run_once, bool warm_up)
      : kind_(kind), run_once_(run_once), warm_up_(warm_up) {}

  bool still_fails(const std::vector<Decision>& decisions) {
    return run_script(decisions, run_once_, {.warm_up = warm_up_}) == kind_;
  }

  // Takes out ever smaller pieces as long as the failure stays.
  void remove_pieces(std::vector<Decision>& decisions) {
    double end = effort_seconds() + removal_seconds;
    for (std::size_t piece = std::max<std::size_t>(decisions.size() / 2, 1);;
         piece = std::max<std::size_t>(piece / 2, 1)) {
      bool removed = false;
      for (std::size_t at = 0; at + piece <= decisions.size() && effort_seconds() < end;) {
        std::vector<Decision> fewer = decisions;
        fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(at),
                    fewer.begin() + static_cast<std::ptrdiff_t>(at + piece));
        if (still_fails(fewer)) {
          decisions = std::move(fewer);
          removed = true;
        } else {
          ++at;
        }
      }
      if (piece == 1 && !removed) return;
      if (decisions.empty() || effort_seconds() >= end) return;
    }
  }

  // A search with a small bound may know a counterexample with fewer switches than removal finds.
  void search_for_fewer(std::vector<Decision>& decisions) {
    for (int bound = 0; bound <= 3 && static_cast<std::size_t>(bound) < decisions.size(); ++bound) {
      Batch batch{};
      batch.plan.strategy = Strategy::search;
      batch.plan.bound = bound;
      batch.plan.values = true;
      batch.count = 20000;
      batch.warm_up = warm_up_;
      batch.until = effort_seconds() + search_seconds;
      shared->path_size = 0;
      if (run_in_child(batch, run_once_).failure != kind_) continue;
      std::vector<Decision> found(
          shared->decisions, shared->decisions + std::min(shared->decision_count, max_decisions));
      remove_pieces(found);
      if (found.size() < decisions.size() && still_fails(found)) decisions = std::move(found);
      return;
    }
  }

 private:
  FailureKind kind_;
  const RunOnce& run_once_;
  bool warm_up_;
};

}  // namespace

FailureKind run_script(const std::vector<Decision>& decisions, const RunOnce& run_once,
                       const ScriptOptions& options) {
  Batch batch{};
  batch.plan.strategy = Strategy::script;
  batch.plan.values = true;
  batch.plan.trace = options.trace;
  batch.plan.watch_begin = options.watch_begin;
  batch.plan.watch_end = options.watch_end;
  // Without decisions it is the default schedule, which is what warms up.
  batch.warm_up = options.warm_up && !decisions.empty();
  batch.output = options.output;
  batch.first_seed = 0;
  batch.count = options.times;
  Shared& memory = shared_memory();
  memory.script_size = static_cast<int>(std::min<std::size_t>(decisions.size(), max_decisions));
  std::copy_n(decisions.begin(), memory.script_size, memory.script);
  std::uint64_t schedules = memory.schedules, longest = memory.longest;
  FailureKind kind = run_in_child(batch, run_once).failure;
  memory.schedules = schedules;  // these don't count as explored
  memory.longest = longest;
  return kind;
}

std::vector<Decision> shrink(std::vector<Decision> decisions, FailureKind kind,
                             const RunOnce& run_once, bool warm_up) {
  Shrinker shrinker(kind, run_once, warm_up);
  if (!shrinker.still_fails(decisions)) return decisions;
  shrinker.remove_pieces(decisions);
  shrinker.search_for_fewer(decisions);
  return decisions;
}

}  // namespace explorer
