#include "strategy.hpp"

#include "choice.hpp"
#include "failure.hpp"

namespace explorer {
namespace {

// The next runnable thread in a circle: what happens when nothing else is asked for.
Thread& round_robin(const Candidates& candidates, const Thread& last) {
  for (int i = 0; i < candidates.count; ++i)
    if (candidates.thread[i]->id > last.id) return *candidates.thread[i];
  for (int i = 0; i < candidates.count; ++i)
    if (candidates.thread[i] != &last) return *candidates.thread[i];
  return *candidates.thread[0];
}

Thread& default_thread(const Candidates& candidates, const Thread& last) {
  if (candidates.current && !candidates.yielding) return *candidates.current;
  return round_robin(candidates, last);
}

void drop_current(Candidates& candidates) {
  int kept = 0;
  for (int i = 0; i < candidates.count; ++i)
    if (candidates.thread[i] != candidates.current)
      candidates.thread[kept++] = candidates.thread[i];
  candidates.count = kept;
}

Thread& random_walk(Candidates& candidates) {
  if (candidates.yielding) drop_current(candidates);
  // Somebody else can run, or the current one would not yield.
  // NOLINTNEXTLINE(clang-analyzer-core.DivideZero)
  return *candidates.thread[random_number() % static_cast<unsigned>(candidates.count)];
}

// Probabilistic concurrency testing: the highest priority runs; at depth - 1 random moments the
// running thread falls below all others. (Burckhardt et al., ASPLOS 2010)
Thread& pct(Candidates& candidates) {
  Thread* current = candidates.current;
  for (int i = 0; current && i < runtime.pct_depth - 1; ++i)
    if (runtime.change_points[i] == runtime.steps)
      current->priority = static_cast<std::uint64_t>(runtime.pct_depth - i) + (1ull << 20);
  if (candidates.yielding && current) current->priority = --runtime.lowest_priority;
  Thread* best = candidates.thread[0];
  for (int i = 1; i < candidates.count; ++i)
    if (candidates.thread[i]->priority > best->priority) best = candidates.thread[i];
  return *best;
}

bool conflict(const Thread& a, const Thread& b) {
  return a.op_object && a.op_object == b.op_object && !(a.op == Op::load && b.op == Op::load);
}

// Partial order sampling: each pending operation has a random priority; running one redraws those
// that conflict with it. (Yuan, Yang, Gu, CAV 2018)
Thread& partial_order(Candidates& candidates) {
  if (candidates.yielding) drop_current(candidates);
  Thread* best = candidates.thread[0];
  for (int i = 1; i < candidates.count; ++i)
    if (candidates.thread[i]->priority > best->priority) best = candidates.thread[i];
  for (int i = 0; i < candidates.count; ++i)
    if (candidates.thread[i] != best && conflict(*candidates.thread[i], *best))
      candidates.thread[i]->priority = new_priority();
  best->priority = new_priority();
  return *best;
}

// Depth-first search over all schedules with at most `bound` deviations. Leaving a thread that
// could go on is a deviation; choosing among others when it can't is free.
Thread& search(Candidates& candidates, Thread& usual) {
  bool preempts = candidates.current != nullptr;
  if (preempts && runtime.deviations >= shared->plan.bound) return usual;
  Thread* order[max_threads];
  int count = 0;
  order[count++] = &usual;
  for (int i = 0; i < candidates.count; ++i)
    if (candidates.thread[i] != &usual) order[count++] = candidates.thread[i];
  int branch = search_branch(count);
  if (branch && preempts) ++runtime.deviations;
  return *order[branch];
}

Thread& scripted(const Candidates& candidates, Thread& usual) {
  int wanted = scripted_choice(Choice::run);
  for (int i = 0; i < candidates.count; ++i)
    if (candidates.thread[i]->id == wanted) return *candidates.thread[i];
  return usual;
}

bool fair;

}  // namespace

Thread& choose_thread(Candidates& candidates, Thread& last) {
  Thread& usual = default_thread(candidates, last);
  Thread* chosen = nullptr;
  switch (runtime.strategy) {
    case Strategy::random_walk:
      chosen = &random_walk(candidates);
      break;
    case Strategy::pct:
      chosen = &pct(candidates);
      break;
    case Strategy::partial_order:
      chosen = &partial_order(candidates);
      break;
    case Strategy::search:
      chosen = &search(candidates, usual);
      break;
    case Strategy::script:
      chosen = &scripted(candidates, usual);
      break;
  }
  if (chosen != &usual && !fair) record_choice(last, Choice::run, chosen->id);
  return *chosen;
}

std::uint64_t new_priority() {
  return runtime.strategy == Strategy::pct ? (1ull << 32) + (random_number() >> 8)
                                           : random_number() >> 2;
}

void start_strategy(std::uint64_t seed) {
  const Plan& plan = shared->plan;
  fair = false;
  runtime.strategy = plan.strategy;
  runtime.pct_depth = plan.depth;
  runtime.random = seed * 0x2545f4914f6cdd1dull + 77;
  if (plan.mix) {
    constexpr Strategy portfolio[] = {Strategy::random_walk, Strategy::partial_order,
                                      Strategy::pct};
    runtime.strategy = portfolio[seed % 3];
    runtime.pct_depth = 2 + static_cast<int>(seed / 3 % 4);
  }
  std::uint64_t length = plan.expected_steps ? plan.expected_steps : 64;
  for (std::uint64_t& point : runtime.change_points) point = 1 + random_number() % length;
  runtime.lowest_priority = 1ull << 19;

  // Half of the random schedules are calm; the others come with surprises at one of two rates.
  int surprise = static_cast<int>(random_number() % 4);
  if (runtime.strategy == Strategy::search) surprise = 2;
  if (!plan.values) surprise = 0;
  constexpr int spurious[] = {0, 0, 60, 250}, weak[] = {0, 0, 100, 300}, early[] = {0, 0, 150, 400},
                stale[] = {0, 0, 120, 350};
  runtime.rate_spurious = spurious[surprise];
  runtime.rate_weak = weak[surprise];
  runtime.rate_early = early[surprise];
  runtime.rate_stale = stale[surprise];
}

void become_fair() {
  fair = true;
  runtime.strategy = Strategy::random_walk;
  runtime.random = 4;  // a constant: the tail is the same whatever led here
  runtime.rate_spurious = runtime.rate_weak = runtime.rate_early = runtime.rate_stale = 0;
}

void give_up_on_length() {
  if (shared->longest && runtime.steps > 100 * shared->longest)
    fail(FailureKind::livelock, "%llu steps and no end, where other schedules took at most %llu",
         static_cast<unsigned long long>(runtime.steps),
         static_cast<unsigned long long>(shared->longest));
  cannot_explore("a schedule takes more than %llu steps",
                 static_cast<unsigned long long>(runtime.steps));
}

bool advance_search() {
  int size = shared->path_size;
  while (size && shared->path[size - 1].chosen + 1 >= shared->path[size - 1].options) --size;
  shared->path_size = size;
  if (!size) return false;
  ++shared->path[size - 1].chosen;
  return true;
}

}  // namespace explorer
