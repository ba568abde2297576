#include "odds.hpp"

namespace grader {

double chance_of_luck(Tally suspect, int right_runs) {
  // All `broken` failures fell on the suspect: C(runs, broken) / C(runs + right_runs, broken).
  double chance = 1;
  for (int i = 0; i < suspect.broken; ++i) {
    chance *= static_cast<double>(suspect.runs - i) / (suspect.runs + right_runs - i);
  }
  return chance;
}

}  // namespace grader
