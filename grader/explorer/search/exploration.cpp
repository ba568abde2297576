#include "search/exploration.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "search/shrink.hpp"

namespace explorer {
namespace {

Plan search_plan(int bound, bool values) {
  Plan plan{};
  plan.strategy = Strategy::search;
  plan.bound = bound;
  plan.values = values;
  return plan;
}

constexpr double patience = 10;  // a starved machine may take so many times the limit

// Tries schedules until the first failure, the end of the search or of the time.
class Explorer {
 public:
  Explorer(const Limits& limits, const RunOnce& run_once) : limits_(limits), run_once_(run_once) {
    Shared& memory = shared_memory();
    memory.longest = 0;
    memory.total_steps = 0;
    memory.schedules = 0;
    memory.discovered_count = 0;
    memory.skipped = false;
    std::memset(memory.shared_objects, 0, sizeof memory.shared_objects);
  }

  // Searches first, smallest bound first: what it finds has the fewest surprises in it, what it
  // exhausts is proven. A slice of the mix in between, for what lies beyond a long search.
  FailureKind run() {
    begin_ = effort_seconds();
    wall_end_ = wall_seconds() + patience * limits_.seconds;
    for (int bound = 1; bound <= limits_.bound; ++bound) {
      if (FailureKind kind = search(bound, share_of_search(bound)); kind != FailureKind::none)
        return kind;
      if (bound < limits_.bound)
        if (FailureKind kind = mix(effort_seconds() + 0.1 * limits_.seconds, 1000);
            kind != FailureKind::none)
          return kind;
    }
    double end = begin_ + limits_.seconds;
    if (!exhausted()) return mix(end, limits_.schedules);
    // A finished search needs no luck on top, but there are bugs that take more preemptions than
    // its bound. So as long again as it took goes to random schedules, and again to a deeper
    // search; if that does not finish, luck gets what is left.
    double extra = std::max(0.15 * limits_.seconds, effort_seconds() - begin_);
    if (FailureKind kind = mix(std::min(end, effort_seconds() + extra), limits_.schedules);
        kind != FailureKind::none)
      return kind;
    if (FailureKind kind = search(limits_.bound + 1, std::min(end, effort_seconds() + extra));
        kind != FailureKind::none || completed_ > limits_.bound)
      return kind;
    return mix(end, limits_.schedules);
  }

  bool exhausted() const { return completed_ > 0 && completed_ >= limits_.bound; }
  int completed() const { return completed_; }
  std::uint64_t mixed() const { return mixed_; }
  double seconds() const { return effort_seconds() - begin_; }
  bool isolated() const { return isolated_; }
  const Batch& last() const { return last_; }

  // From now on a process for each schedule, because one leaves traces in the next.
  void isolate() {
    isolated_ = true;
    completed_ = -1;
    mixed_ = 0;
    shared->discovered_count = 0;
  }

 private:
  double share_of_search(int bound) const {
    double share = bound == 1 ? 0.35 : bound == limits_.bound ? 0.7 : 0.5;
    return begin_ + share * limits_.seconds;
  }

  FailureKind search(int bound, double until) {
    if (unsteady_ || (bound > 1 && completed_ < bound - 1)) return FailureKind::none;
    shared->path_size = 0;
    Batch batch{.plan = search_plan(bound, limits_.values), .first_seed = 0};
    for (;;) {
      FailureKind kind = run_batch(batch, until);
      if (kind == FailureKind::nondeterminism) {
        unsteady_ =
            true;  // not by our decisions alone: no search, but random schedules still count
        return FailureKind::none;
      }
      if (kind != FailureKind::none) return kind;
      if (shared->exhausted) completed_ = bound;
      if (shared->exhausted || effort_seconds() >= until || enough()) return FailureKind::none;
    }
  }

  FailureKind mix(double until, std::uint64_t at_most) {
    Batch batch{};
    batch.plan.strategy = Strategy::pct;
    batch.plan.mix = true;
    batch.plan.values = limits_.values;
    std::uint64_t goal = at_most ? mixed_ + at_most : ~std::uint64_t{0};
    while (mixed_ < goal && effort_seconds() < until && !enough()) {
      batch.plan.expected_steps = std::max(std::uint64_t{shared->longest}, std::uint64_t{8});
      batch.first_seed = limits_.seed * 1'000'003 + mixed_;
      std::uint64_t before = shared->schedules;
      FailureKind kind = run_batch(batch, until, goal - mixed_);
      mixed_ += shared->schedules - before;
      if (kind != FailureKind::none) return kind;
    }
    return FailureKind::none;
  }

  bool enough() const {
    return shared->skipped || wall_seconds() > wall_end_ ||
           (limits_.schedules && shared->schedules >= limits_.schedules);
  }

  FailureKind run_batch(Batch& batch, double until, std::uint64_t at_most = ~std::uint64_t{0}) {
    constexpr std::uint64_t batch_size = 20000;
    std::uint64_t left = limits_.schedules ? limits_.schedules - shared->schedules : batch_size;
    batch.count = std::min({isolated_ ? 1 : batch_size, std::max<std::uint64_t>(left, 1), at_most});
    batch.warm_up = !isolated_;
    batch.until = until;
    batch.wall_until = wall_end_;
    last_ = batch;
    FailureKind kind = run_in_child(batch, run_once_).failure;
    last_.first_seed = shared->seed;
    return kind;
  }

  Limits limits_;
  const RunOnce& run_once_;
  double begin_ = effort_seconds(), wall_end_ = 0;
  int completed_ = 0;  // bound 0 is part of bound 1
  std::uint64_t mixed_ = 0;
  bool unsteady_ = false;
  bool isolated_ = false;
  Batch last_;
};

std::string verdict_of(const Explorer& explorer, int wanted_bound) {
  char searched[80] = "", random[80] = "";
  if (explorer.completed() > 0)
    std::snprintf(searched, sizeof searched, "all schedules with up to %d preemption%s",
                  explorer.completed(), explorer.completed() == 1 ? "" : "s");
  if (explorer.completed() < wanted_bound || wanted_bound == 0)
    std::snprintf(random, sizeof random, "%s%llu random %s", searched[0] ? " and " : "",
                  static_cast<unsigned long long>(explorer.mixed()),
                  searched[0] ? "ones" : "schedules");
  return std::string(searched) + random;
}

std::vector<Decision> recorded_decisions() {
  int count = std::min(shared->decision_count, max_decisions);
  return {shared->decisions, shared->decisions + count};
}

// Schedules follow each other in one process, so a test that leaves something behind (a static, a
// file) could fail for that alone. A failure counts when a process without any schedule before
// shows it too; or, since first uses take steps that later ones don't and shift the decisions, when
// it shows after a single other schedule and the test bears being repeated.
bool confirmed(FailureKind kind, const std::vector<Decision>& decisions, const RunOnce& run_once) {
  if (run_script(decisions, run_once, {.warm_up = false}) == kind) return true;
  return run_script(decisions, run_once, {}) == kind &&
         run_script({}, run_once, {.times = 3}) == FailureKind::none;
}

}  // namespace

Outcome explore(const std::string& test, const Limits& limits, const RunOnce& run_once) {
  Explorer explorer(limits, run_once);
  Outcome outcome;
  FailureKind kind = explorer.run();
  std::vector<Decision> decisions = recorded_decisions();
  bool too_long = shared->decision_count > max_decisions;

  if (kind != FailureKind::none && kind != FailureKind::cannot_explore && !too_long &&
      shared->schedules > 0 && !confirmed(kind, decisions, run_once)) {
    std::uint64_t before = shared->schedules;
    explorer.isolate();
    shared->schedules = 0;
    kind = explorer.run();
    decisions = recorded_decisions();
    too_long = shared->decision_count > max_decisions;
    shared->schedules = shared->schedules + before;
  }

  outcome.schedules = shared->schedules + (kind != FailureKind::none);
  outcome.seconds = explorer.seconds();
  outcome.bound = explorer.completed() > 0 ? explorer.completed() : -1;
  outcome.exhausted = explorer.exhausted();
  outcome.verdict = verdict_of(explorer, limits.bound);
  outcome.kind = kind;
  if (kind == FailureKind::none) return outcome;
  if (kind == FailureKind::cannot_explore) {
    outcome.status = Status::cannot_explore;
    outcome.problem = shared->failure.message;
    return outcome;
  }

  outcome.status = Status::failed;
  outcome.verdict = "schedule " + std::to_string(outcome.schedules) + " failed";
  outcome.token.test = test;
  outcome.token.by_seed = too_long;
  outcome.token.mix = explorer.last().plan.mix;
  outcome.token.seed = explorer.last().first_seed;
  outcome.token.expected_steps = explorer.last().plan.expected_steps;
  if (!too_long) outcome.token.decisions = shrink(decisions, kind, run_once, !explorer.isolated());
  outcome.reproduced = replay(outcome.token, run_once) == kind;
  return outcome;
}

FailureKind replay(const Token& token, const RunOnce& run_once) {
  Batch batch{};
  batch.first_seed = token.seed;
  batch.plan.strategy = Strategy::pct;
  batch.plan.mix = token.mix;
  batch.plan.values = true;
  batch.plan.expected_steps = token.expected_steps;
  auto run = [&](Address watch_begin, Address watch_end) {
    if (!token.by_seed)
      return run_script(token.decisions, run_once,
                        {.trace = true, .watch_begin = watch_begin, .watch_end = watch_end});
    batch.plan.trace = true;
    batch.plan.watch_begin = watch_begin;
    batch.plan.watch_end = watch_end;
    return run_in_child(batch, run_once).failure;
  };
  FailureKind kind = run(0, 0);
  if (kind == FailureKind::data_race || kind == FailureKind::use_after_free) {
    // Once more, looking at that memory: the story shows both sides with their callers.
    Address begin = shared->failure.now.address & ~Address{7};
    Address end =
        begin + std::max<Address>(shared->failure.now.frees ? 8 : shared->failure.now.size, 8);
    if (shared->failure.now.frees) {
      begin = shared->failure.before.address;
      end = begin + 8;
    }
    kind = run(begin, end);
  }
  return kind;
}

}  // namespace explorer
