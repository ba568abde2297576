// Every header of hostile/ is graded in a sandbox, and none may score, change a file, outlive its
// grading or take longer than its limits.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <map>
#include <mutex>
#include <thread>

#include "hostile_corpus.hpp"

namespace grader::hostile {
namespace {

constexpr double most_seconds = 200;  // of one of them; a compiler has a minute of its own time

const std::vector<Case>& corpus() {
  static const auto all = read_corpus(REPOSITORY_DIR "/grader/tests/hostile");
  return all;
}

struct Job {
  const Case* one = nullptr;
  bool behind = false;
};

std::string spoken(const Job& job) { return job.one->name + (job.behind ? "_BehindTheRules" : ""); }

std::vector<Job> all_jobs() {
  std::vector<Job> jobs;
  for (const auto& one : corpus()) {
    jobs.push_back({&one, false});
    if (!one.behind.verdicts.empty()) jobs.push_back({&one, true});
  }
  return jobs;
}

bool any_of_in(const std::vector<std::string>& words, const std::string& text) {
  return std::ranges::any_of(words, [&](const auto& word) { return text.contains(word); });
}

// Grades the cases that are asked for, on all processors; the tests look at the results.
class Hostile : public testing::TestWithParam<Job> {
 public:
  static void SetUpTestSuite() {
    become_reaper();
    ground = new Ground;
    std::vector<Job> wanted;
    const auto& suite = *testing::UnitTest::GetInstance()->current_test_suite();
    for (int i = 0; i < suite.total_test_count(); ++i) {
      const auto& info = *suite.GetTestInfo(i);
      if (!info.should_run()) continue;
      const std::string name = info.name();
      for (const auto& job : all_jobs()) {
        if (name == "ScoresNothing/" + spoken(job)) wanted.push_back(job);
      }
    }
    std::atomic<std::size_t> next = 0;
    std::mutex mutex;
    const auto work = [&] {
      for (auto i = next++; i < wanted.size(); i = next++) {
        auto graded = ground->grade(*wanted[i].one, wanted[i].behind);
        const std::lock_guard lock(mutex);
        if (std::getenv("HOSTILE_VERBOSE") != nullptr) {
          fmt::print(stderr, "{:6.1f} s {}: {}: {}\n", graded.seconds, spoken(wanted[i]),
                     graded.verdict, graded.reason.substr(0, graded.reason.find('\n')));
        }
        results[spoken(wanted[i])] = std::move(graded);
      }
    };
    std::vector<std::jthread> workers;
    for (unsigned i = 0; i < std::max(2U, std::thread::hardware_concurrency()); ++i) {
      workers.emplace_back(work);
    }
  }

  static void TearDownTestSuite() {
    EXPECT_EQ(ground->changes(), std::vector<std::string>{})
        << "files outside of a sandbox have changed";
    EXPECT_EQ(children_left(), std::vector<int>{}) << "processes outlived their grading";
    std::vector<std::pair<double, std::string>> times;
    for (const auto& [name, graded] : results) times.emplace_back(graded.seconds, name);
    std::ranges::sort(times, std::greater{});
    for (std::size_t i = 0; i < std::min<std::size_t>(8, times.size()); ++i) {
      fmt::print("{:6.1f} s {}\n", times[i].first, times[i].second);
    }
    delete ground;
    ground = nullptr;
  }

  static inline Ground* ground = nullptr;
  static inline std::map<std::string, Graded> results;
};

TEST_P(Hostile, ScoresNothing) {
  const auto& job = GetParam();
  const auto& graded = results.at(spoken(job));
  const auto& expected = job.behind ? job.one->behind : job.one->expect;
  EXPECT_EQ(graded.points, 0);
  EXPECT_TRUE(std::ranges::count(expected.verdicts, graded.verdict))
      << "verdict: " << graded.verdict << ", expected "
      << fmt::format("{}", fmt::join(expected.verdicts, " or ")) << "\nreason: " << graded.reason;
  EXPECT_TRUE(any_of_in(expected.words, graded.reason))
      << "expected to be told \"" << fmt::format("{}", fmt::join(expected.words, "\" or \""))
      << "\"\nreason: " << graded.reason;
  EXPECT_LT(graded.seconds, most_seconds);
}

INSTANTIATE_TEST_SUITE_P(Corpus, Hostile, testing::ValuesIn(all_jobs()),
                         [](const auto& info) { return spoken(info.param); });

// Right versions with whatever looks suspicious and is not.
TEST(OddCorpus, IsNotTakenForHostile) {
  become_reaper();
  Ground ground;
  for (const auto& one : read_corpus(REPOSITORY_DIR "/grader/tests/odd")) {
    const auto graded = ground.grade(one, false);
    EXPECT_EQ(graded.verdict, "passed") << one.name << ": " << graded.reason;
  }
}

TEST(HostileCorpus, IsLargeEnoughAndSaysWhatItTries) { EXPECT_GE(corpus().size(), 100U); }

}  // namespace
}  // namespace grader::hostile
