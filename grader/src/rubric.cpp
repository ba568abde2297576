#include "rubric.hpp"

#include <array>

namespace grader {
namespace {

constexpr int kWholeWorkbook = 45;

struct BandText {
  int from;  // of 45
  const char* meaning;
  const char* advice;
};

constexpr std::array<BandText, 4> kBands = {{
    {0, "You can say what a future is; one that survives many awaiters still slips away.",
     "Stay with tasks 1 to 4, and redo those that needed help. Once you reach for a one-shot "
     "channel without thinking, the rest falls into place."},
    {16, "You build a promise that settles once, and errors travel the way they should.",
     "Tasks 5 to 9 are next. Don't skip task 8: one load shared by all its callers is the "
     "cheapest win in production code."},
    {26, "You are at home inside one process.",
     "Tasks 10 to 13 are about composition: pipelines, bounded fan-out, leak detection, "
     "deadlines. They turn a future that works into one that can be shipped."},
    {36, "You build futures that others can rely on.",
     "Tasks 14 and 15 leave the process: locks that expire, disks that forget. After them, the "
     "stretch challenges, and papers on durable execution and leases."},
}};

// The smallest total out of `out_of` that reaches `from` out of 45.
int scaled(int from, int out_of) { return (from * out_of + kWholeWorkbook - 1) / kWholeWorkbook; }

Score zero(std::string why) { return {.points = 0, .settled = true, .why = std::move(why)}; }

Score passing(const Evidence& e) {
  if (e.copied) return {1, true, "it passes, and it is the workbook's own solution in other words"};
  const bool own_work = !e.reference_opened || e.qualified_before_reference;
  if (e.own_test == OwnTest::qualified && own_work)
    return {3, true, "it passes, and your own test broke an earlier version"};
  const bool settled = e.own_test != OwnTest::inconclusive || !own_work;
  if (e.reference_first) return {1, true, "it passes, with the reference opened first"};
  if (e.hint_first) return {1, settled, "it passes, with a hint opened first"};
  return {2, settled, "it passes, unaided"};
}

}  // namespace

Score score(const Evidence& evidence) {
  switch (evidence.standing) {
    case Standing::missing:
      return zero("its header is not in this submission");
    case Standing::not_started:
      return zero("not started: the header is the starter");
    case Standing::not_built:
      return zero("it does not compile yet");
    case Standing::refused:
      return zero("it contains something a submission may not");
    case Standing::failed:
      return zero("a required test does not pass yet");
    case Standing::tampered:
      return zero("the test results can't have come from an honest run");
    case Standing::inconclusive:
      return {0, false, "no verdict: the machine was too busy or something on it failed"};
    case Standing::passed:
      return passing(evidence);
  }
  return zero("");
}

Band band(int total, int out_of) {
  std::size_t chosen = 0;
  while (chosen + 1 < kBands.size() && total >= scaled(kBands[chosen + 1].from, out_of)) ++chosen;
  const bool last = chosen + 1 == kBands.size();
  return {.from = scaled(kBands[chosen].from, out_of),
          .to = last ? out_of : scaled(kBands[chosen + 1].from, out_of) - 1,
          .meaning = kBands[chosen].meaning,
          .advice = kBands[chosen].advice};
}

}  // namespace grader
