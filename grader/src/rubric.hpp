// The rubric as rules: what a task's evidence is worth, and what a total says. Pure functions;
// GRADING.md says the same in words.
#pragma once

#include <string>

namespace grader {

// How far a task's header came.
enum class Standing {
  missing,       // no such header in the submission
  not_started,   // the starter as it was handed out
  not_built,     // the compiler refused it
  refused,       // it contains or includes what a submission may not
  failed,        // a required test did not pass
  tampered,      // the results can't have come from an honest run
  inconclusive,  // the machine stood in the way: no verdict, and no fail
  passed,        // every required test passes
};

// What the own test (my_test.cpp) is worth.
enum class OwnTest {
  not_tried,     // the task does not pass yet, so nobody looked
  not_written,   // the file is missing or as it was handed out
  inconclusive,  // the machine stood in the way
  unqualified,   // it was tried and does not qualify
  qualified,     // it broke an earlier version and accepts the right ones
};

// Everything the score of one task depends on. "First" means: before the task passed for the first
// time without any help. What was earned unaided stays earned when the help is opened afterwards.
struct Evidence {
  Standing standing = Standing::not_started;
  bool hint_first = false;                  // a hint was opened first
  bool reference_first = false;             // the reference was unfolded first
  bool reference_opened = false;            // at any time
  bool qualified_before_reference = false;  // the own test qualified before that
  bool copied = false;  // the header is a workbook's solution with other names or layout
  OwnTest own_test = OwnTest::not_tried;
};

struct Score {
  int points = 0;       // 0 to 3
  bool settled = true;  // false: the machine stood in the way, the points are a lower bound
  std::string why;      // one sentence for the learner
};

inline constexpr int max_points = 3;

// The rule for one task. `why` explains the points as they are, not how to get more.
Score score(const Evidence& evidence);

// What a total says. Bands are drawn for the whole workbook (45); a smaller total is scaled to it.
struct Band {
  int from = 0;  // the band's limits, scaled to `out_of`
  int to = 0;
  std::string meaning;  // what you can do
  std::string advice;   // what to do next
};

// `out_of` is three times the number of tasks that are there and must be positive.
Band band(int total, int out_of);

}  // namespace grader
