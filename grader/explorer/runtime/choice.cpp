#include "choice.hpp"

#include "failure.hpp"

namespace explorer {
namespace {

Choice numbered(Choice kind, int sequence) {
  return static_cast<Choice>(static_cast<int>(kind) + 16 * (sequence < 15 ? sequence : 15));
}

}  // namespace

std::uint64_t random_number() {  // splitmix64
  std::uint64_t z = (runtime.random += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

int scripted_choice(Choice kind) {
  const Thread& thread = *runtime.current;
  for (int i = 0; i < shared->script_size; ++i) {
    const Decision& decision = shared->script[i];
    if (decision.thread == thread.id && decision.operation == thread.operations &&
        decision.kind == kind)
      return decision.value;
  }
  return -1;
}

void record_choice(const Thread& thread, Choice kind, int value) {
  int i = shared->decision_count++;
  if (i < max_decisions)
    shared->decisions[i] = Decision{thread.operations, static_cast<std::uint16_t>(value),
                                    static_cast<std::uint8_t>(thread.id), kind};
}

int search_branch(int options) {
  int at = runtime.search_depth++;
  if (at >= max_search_depth)
    cannot_explore("the test is too long to search: more than %d choices", max_search_depth);
  const Thread& thread = *runtime.current;
  std::uint32_t fingerprint = thread.operations * 2654435761u +
                              static_cast<std::uint32_t>(thread.id) * 97u +
                              static_cast<std::uint32_t>(thread.op);
  SearchNode& node = shared->path[at];
  if (at < shared->path_size) {
    if (node.options != options || node.fingerprint != fingerprint)
      fail(FailureKind::nondeterminism, "choice %d had %u options and now has %d", at, node.options,
           options);
  } else {
    node = SearchNode{0, static_cast<std::uint16_t>(options), fingerprint};
    shared->path_size = at + 1;
  }
  return node.chosen;
}

int choose(Choice kind, int options, int rate, int sequence) {
  if (options <= 1) return 0;
  kind = numbered(kind, sequence);
  int value = 0;
  switch (runtime.strategy) {
    case Strategy::script: {
      int scripted = scripted_choice(kind);
      value = scripted < 0 ? 0 : scripted % options;
      break;
    }
    case Strategy::search:
      if (rate == uniformly) {
        value = search_branch(options);
      } else if (rate > 0 && runtime.deviations < shared->plan.bound) {
        value = search_branch(options);
        if (value) ++runtime.deviations;
      }
      break;
    default:
      if (rate == uniformly)
        value = static_cast<int>(random_number() % static_cast<unsigned>(options));
      else if (rate > 0 && static_cast<int>(random_number() % 1000) < rate)
        value = 1 + static_cast<int>(random_number() % static_cast<unsigned>(options - 1));
  }
  if (value && runtime.steps < runtime.max_steps) record_choice(*runtime.current, kind, value);
  return value;
}

}  // namespace explorer
