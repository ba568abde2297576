#include "testing/leftovers.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <thread>

#include "testing/threads.hpp"
#include "testing/watchdog.hpp"

namespace workbook {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto grace = 10s;
constexpr auto sound_sleep = 1s;
constexpr auto longest_pause = 5ms;

using Sightings = std::map<int, threads::Sighting>;

Sightings look_at(const std::vector<int>& tids) {
  Sightings seen;
  for (const int tid : tids) {
    if (const auto one = threads::look(tid)) seen.emplace(tid, *one);
  }
  return seen;
}

// Asleep, and waiting for nothing but another thread. All others are asleep as well then.
bool asleep_for_good(const Sightings& sightings) {
  return std::ranges::all_of(sightings, [](const auto& entry) {
    const auto& [tid, seen] = entry;
    if (seen.state != 'S') return false;
    const auto wait = threads::wait_of(tid);
    return wait.what == threads::Wait::For::a_thread && wait.until == Clock::time_point::max();
  });
}

}  // namespace

void Leftovers::remember() { before_ = threads::list(); }

std::vector<int> Leftovers::younger() const {
  std::vector<int> tids;
  std::ranges::set_difference(threads::list(), before_, std::back_inserter(tids));
  return tids;
}

std::vector<int> Leftovers::wait() {
  auto tids = younger();
  threads::EffectiveTime since_last_end;
  Sightings sightings;
  Clock::time_point unchanged_since = Clock::now();
  for (Clock::duration pause = 20us; !tids.empty();
       pause = std::min<Clock::duration>(2 * pause, longest_pause)) {
    std::this_thread::sleep_for(pause);
    auto now_there = younger();
    if (now_there != tids) {
      tids = std::move(now_there);
      since_last_end = {};
      unchanged_since = Clock::now();
      sightings.clear();
      continue;
    }
    if (pause < longest_pause) continue;  // most are gone by now
    since_last_end.advance(tids);
    auto seen = look_at(tids);
    if (seen != sightings) {
      sightings = std::move(seen);
      unchanged_since = Clock::now();
    }
    const bool sound = Clock::now() - unchanged_since >= sound_sleep && asleep_for_good(sightings);
    if (sound || since_last_end.passed() >= grace) return tids;
  }
  return {};
}

}  // namespace workbook
