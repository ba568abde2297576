#include "trial.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace grader {
namespace {

using Verdict = TrialResult::Verdict;

// Suspects are built and first played in groups of this size: most tests break one of the first.
constexpr std::size_t kGroup = 2;
constexpr int kFirstTries = 2;
// A version that took n seconds to break makes way for about n further groups: to confirm it takes
// at least eight times as long, and any of them may break at once.
constexpr double kGroupsPerSecond = 1;
// In a row; a single stumble of the machine is forgiven.
constexpr int kUnclearLimit = 3;

class Trial {
 public:
  Trial(const Players& players, std::mt19937_64& chance) : players_(players), chance_(chance) {}

  TrialResult run() {
    for (std::size_t from = 0; from < players_.suspects; from += kGroup) {
      const auto to = std::min(from + kGroup, players_.suspects);
      if (players_.prepare) players_.prepare(from, to);
      for (auto suspect = from; suspect < to; ++suspect) alive_.push_back(suspect);
      if (auto result = screen(
              {alive_.end() - static_cast<std::ptrdiff_t>(to - from), alive_.end()}, kFirstTries)) {
        return *result;
      }
      ++group_;
      if (auto result = go_into_postponed(group_)) return *result;
    }
    constexpr auto all = std::numeric_limits<double>::infinity();
    if (auto result = go_into_postponed(all)) return *result;
    if (auto result = screen(alive_, tries_per_version - kFirstTries)) return *result;
    if (auto result = go_into_postponed(all)) return *result;
    if (players_.suspects == 0) return screen_rights();
    return too_rarely_.value_or(TrialResult{.verdict = Verdict::breaks_nothing});
  }

 private:
  enum class Side { right, suspect };
  struct Postponed {
    std::size_t suspect;
    std::string how;
    double turn;  // after so many groups
  };

  // Plays each of `suspects`, and a right version for every second one, `rounds` times, in shuffled
  // order, and goes into a suspect as soon as it breaks, unless that took long. `suspects` may be
  // alive_ itself.
  std::optional<TrialResult> screen(const std::vector<std::size_t>& suspects, int rounds) {
    for (int round = 0; round < rounds; ++round) {
      std::vector<std::pair<Side, std::size_t>> order;
      for (const auto suspect : suspects) {
        order.emplace_back(Side::suspect, suspect);
        if (order.size() % 3 != 0) order.emplace_back(Side::right, suspect);
      }
      std::ranges::shuffle(order, chance_);
      for (const auto& [side, suspect] : order) {
        if (!is_alive(suspect)) continue;
        const auto played = play(side, suspect);
        if (ended_) return ended_;
        if (side == Side::suspect && played.end == Played::End::broke) {
          std::erase(alive_, suspect);
          if (const double groups = std::floor(played.seconds * kGroupsPerSecond); groups > 0) {
            postponed_.push_back({suspect, played.how, group_ + 1 + groups});
          } else if (auto result = go_into(suspect, played.how)) {
            return result;
          }
        }
      }
    }
    return std::nullopt;
  }

  // Nothing to break: still worth telling a test that breaks what is right.
  TrialResult screen_rights() {
    for (int i = 0; i < tries_per_version && !ended_; ++i) play(Side::right, 0);
    return ended_.value_or(TrialResult{.verdict = Verdict::breaks_nothing});
  }

  // Those that took long to break and whose turn has come by now.
  std::optional<TrialResult> go_into_postponed(double group) {
    for (auto& one : std::exchange(postponed_, {})) {
      if (one.turn > group) {
        postponed_.push_back(std::move(one));
      } else if (auto result = go_into(one.suspect, one.how)) {
        return result;
      }
    }
    return std::nullopt;
  }

  // Confirms that `suspect` really is broken by the test. The run that drew our attention does not
  // count: it was picked because it broke.
  std::optional<TrialResult> go_into(std::size_t suspect, const std::string& how) {
    if (players_.counts && !players_.counts(suspect)) return std::nullopt;
    Tally tally;
    int right_runs = 0;
    for (const int look : looks) {
      if (!confirm(suspect, look, tally, right_runs)) return ended_;
      const bool everywhere = !players_.each_build_broke || players_.each_build_broke(suspect);
      if (everywhere && chance_of_luck(tally, right_runs) <= luck_limit) {
        return TrialResult{Verdict::tells_apart, suspect, tally, right_runs, how};
      }
    }
    if (!too_rarely_ || tally.broken > too_rarely_->suspect.broken) {
      too_rarely_ = TrialResult{Verdict::too_rarely, suspect, tally, right_runs, how};
    }
    return std::nullopt;
  }

  // Plays on until the suspect has had `look` confirming runs. False: the trial is over.
  bool confirm(std::size_t suspect, int look, Tally& tally, int& right_runs) {
    std::vector<Side> order;
    for (int run = tally.runs; run < look; ++run) {
      order.insert(order.end(), {Side::suspect, Side::right, Side::right});
    }
    std::ranges::shuffle(order, chance_);
    for (const auto side : order) {
      const auto played = play(side, suspect);
      if (ended_) return false;
      if (played.end == Played::End::unclear) continue;
      if (side == Side::right) {
        ++right_runs;
      } else {
        ++tally.runs;
        if (played.end == Played::End::broke) ++tally.broken;
      }
    }
    return true;
  }

  // The suspect itself, or the next right version in its circumstances.
  Played play(Side side, std::size_t suspect) {
    if (players_.out_of_time && players_.out_of_time()) {
      ended_ = TrialResult{};
      return {};
    }
    const auto right = right_ % players_.rights;
    if (side == Side::right) ++right_;
    auto played =
        side == Side::right ? players_.play_right(right, suspect) : players_.play_suspect(suspect);
    unclear_in_a_row_ = played.end == Played::End::unclear ? unclear_in_a_row_ + 1 : 0;
    if (unclear_in_a_row_ >= kUnclearLimit) {
      ended_ = TrialResult{.verdict = Verdict::unclear, .how = played.how};
    } else if (side == Side::right && played.end == Played::End::broke) {
      ended_ = TrialResult{.verdict = Verdict::breaks_right, .version = right, .how = played.how};
    }
    return played;
  }

  bool is_alive(std::size_t suspect) const {
    return std::ranges::find(alive_, suspect) != alive_.end();
  }

  const Players& players_;
  std::mt19937_64& chance_;
  std::vector<std::size_t> alive_;  // suspects prepared and not gone into yet
  std::vector<Postponed> postponed_;
  double group_ = 0;  // groups screened so far
  std::size_t right_ = 0;
  int unclear_in_a_row_ = 0;
  std::optional<TrialResult> too_rarely_;
  std::optional<TrialResult> ended_;
};

}  // namespace

TrialResult try_test(const Players& players, std::mt19937_64& chance) {
  return Trial(players, chance).run();
}

}  // namespace grader
