// When does a test that fails on one version and passes on others prove something, and when is it
// luck? The third point rests on this page.
#pragma once

namespace grader {

struct Tally {
  int runs = 0;
  int broken = 0;  // runs in which the test did not pass
};

// The chance that a test whose outcome does not depend on the version under test, whatever its
// rate of failing, fails as often on the suspect as it did while never failing on the right ones
// (Fisher's exact test, one-sided). 1 when nothing was broken.
double chance_of_luck(Tally suspect, int right_runs);

// A kill is confirmed below this. Looked at four times per suspect, so the chance that one suspect
// is called broken by a test that fails at random is at most four times this.
inline constexpr double luck_limit = 1e-5;

// After how many confirming runs of the suspect the evidence is looked at. There are two runs of
// right versions for each.
inline constexpr int looks[] = {8, 16, 32, 80};

// How often each version is tried before "it breaks none of them" is said.
inline constexpr int tries_per_version = 16;

// How often the header as it is now must pass, after a kill was confirmed.
inline constexpr int passes_on_current = 20;

}  // namespace grader
