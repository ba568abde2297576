// Explores the catalogue.
//   catalogue_explored CASE flawed|right [--seed=N] [--seconds=F] [--schedules=N] [--bound=N]
//                      [--strategy=walk|pct|partial_order|search|mix] [--repeat=N]
// prints one line of JSON per run. Without CASE: the names.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "case.hpp"
#include "gtest/test_runs.hpp"
#include "runtime/schedule.hpp"
#include "search/exploration.hpp"
#include "story/story.hpp"

namespace catalogue {

std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

void check_failed(const char* condition, const char* file, int line) {
  explorer::report_check_failed(file, line, condition);
  std::abort();
}

}  // namespace catalogue

namespace {

using namespace explorer;

RunOnce run_of(void (*body)()) {
  return [body](std::uint64_t seed) {
    begin_schedule(seed);
    body();
    end_schedule();
  };
}

// A fixed number of schedules with one strategy; the strategies on their own, for comparison.
void run_strategy(const catalogue::Case& test, void (*body)(), Strategy strategy, bool mix,
                  std::uint64_t seed, std::uint64_t schedules, int bound) {
  Shared& memory = shared_memory();
  double begin = effort_seconds();
  std::uint64_t ran = 0;
  FailureKind kind = FailureKind::none;
  memory.path_size = 0;
  memory.exhausted = false;
  while (ran < schedules && kind == FailureKind::none && !memory.exhausted) {
    Batch batch{.first_seed = seed * 1'000'003 + ran,
                .count = std::min<std::uint64_t>(schedules - ran, 20000)};
    batch.plan.strategy = strategy;
    batch.plan.mix = mix;
    batch.plan.values = true;
    batch.plan.depth = 2 + static_cast<int>(seed % 4);
    batch.plan.bound = bound;
    batch.plan.expected_steps = memory.longest ? std::uint64_t{memory.longest} : 64;
    ChildResult result = run_in_child(batch, run_of(body));
    ran += result.ran;
    kind = result.failure;
  }
  double seconds = effort_seconds() - begin;
  std::printf(
      "{\"case\":\"%.*s\",\"schedules\":%llu,\"kind\":\"%s\",\"message\":\"%s\",\"seconds\":%.3f,"
      "\"rate\":%.0f,\"exhausted\":%d}\n",
      static_cast<int>(test.name.size()), test.name.data(), static_cast<unsigned long long>(ran),
      name_of(kind), kind == FailureKind::none ? "" : memory.failure.message, seconds,
      static_cast<double>(ran) / seconds, memory.exhausted);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    for (const auto& test : catalogue::cases())
      std::printf("%.*s\n", static_cast<int>(test.name.size()), test.name.data());
    return 0;
  }
  Limits limits;
  std::string strategy;
  int repeat = 1;
  bool story = false;
  for (int i = 3; i < argc; ++i) {
    auto value = [&](const char* name) {
      return std::strncmp(argv[i], name, std::strlen(name)) ? nullptr : argv[i] + std::strlen(name);
    };
    if (auto* v = value("--seed=")) limits.seed = std::strtoull(v, nullptr, 10);
    if (auto* v = value("--seconds=")) limits.seconds = std::atof(v);
    if (auto* v = value("--schedules=")) limits.schedules = std::strtoull(v, nullptr, 10);
    if (auto* v = value("--bound=")) limits.bound = std::atoi(v);
    if (auto* v = value("--strategy=")) strategy = v;
    if (auto* v = value("--repeat=")) repeat = std::atoi(v);
    if (value("--story")) story = true;
  }
  shared_memory();
  bool failed = false;
  for (const auto& test : catalogue::cases()) {
    if (test.name != argv[1] && std::strcmp(argv[1], "all") != 0) continue;
    auto* body = std::strcmp(argv[2], "flawed") == 0 ? test.flawed : test.right;
    for (int i = 0; i < repeat; ++i, ++limits.seed) {
      if (!strategy.empty()) {
        Strategy chosen = strategy == "walk"            ? Strategy::random_walk
                          : strategy == "partial_order" ? Strategy::partial_order
                          : strategy == "search"        ? Strategy::search
                                                        : Strategy::pct;
        run_strategy(test, body, chosen, strategy == "mix", limits.seed,
                     limits.schedules ? limits.schedules : 100000, limits.bound);
        continue;
      }
      Outcome outcome = explore(std::string(test.name), limits, run_of(body));
      failed |= outcome.status == Status::failed;
      std::printf(
          "{\"case\":\"%.*s\",\"kind\":\"%s\",\"schedules\":%llu,\"seconds\":%.4f,\"rate\":%.0f,"
          "\"verdict\":\"%s\",\"bound\":%d,"
          "\"exhausted\":%s,\"decisions\":%zu,\"reproduced\":%s,\"token\":\"%s\",\"problem\":\"%"
          "s\"}\n",
          static_cast<int>(test.name.size()), test.name.data(), name_of(outcome.kind),
          static_cast<unsigned long long>(outcome.schedules), outcome.seconds,
          static_cast<double>(outcome.schedules) / outcome.seconds, outcome.verdict.c_str(),
          outcome.bound, outcome.exhausted ? "true" : "false", outcome.token.decisions.size(),
          outcome.reproduced ? "true" : "false",
          outcome.status == Status::failed ? write_token(outcome.token).c_str() : "",
          outcome.problem.c_str());
      if (story && outcome.status == Status::failed)
        std::printf("%s\n", tell_story(shared_memory(), std::string(test.name), 80).lanes.c_str());
      std::fflush(stdout);
    }
  }
  return failed;
}
