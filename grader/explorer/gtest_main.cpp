// main() of a test program in the explored flavour: each TEST of suite Explored runs, unchanged,
// under many schedules. By hand it prints for a person, with a result channel it tells the grader.
#include <cstdio>
#include <fstream>
#include <gtest/gtest.h>

#include "gtest/channel.hpp"
#include "gtest/options.hpp"
#include "gtest/report.hpp"
#include "gtest/test_runs.hpp"
#include "search/process.hpp"
#include "story/story.hpp"

namespace explorer {
namespace {

constexpr const char* canary = "Canary.MustFail";

// Proof for the grader that failures arrive: a program in which this does not fail is not believed.
class MustFail : public testing::Test {
  void TestBody() override { ADD_FAILURE() << "this failure was asked for"; }
};

void register_canary() {
  testing::RegisterTest("Canary", "MustFail", nullptr, nullptr, __FILE__, __LINE__,
                        []() -> testing::Test* { return new MustFail; });
}

void write_file(const std::string& path, const std::string& text) {
  if (path.empty()) return;
  std::ofstream file(path);
  file << text;
  if (!file.flush()) std::fprintf(stderr, "cannot write %s\n", path.c_str());
}

class Program {
 public:
  explicit Program(const Options& options) : options_(options), build_(build_identity()) {}

  // Tests share the time: what one leaves over goes to those after it.
  int explore_all(const std::vector<std::string>& tests) {
    report::begin(tests);
    double end = effort_seconds() + options_.seconds;
    std::size_t left = tests.size();
    for (const std::string& test : tests) {
      Limits limits{.schedules = options_.schedules,
                    .seed = options_.seed,
                    .bound = options_.bound,
                    .values = options_.values};
      limits.seconds = std::max(0.05, (end - effort_seconds()) / static_cast<double>(left--));
      if (test == canary) limits.schedules = 1;
      report::start(test);
      finish(test, explore(test, limits, run_of(test)));
    }
    report::done(ran_, failed_);
    return failed_ ? 1 : 0;
  }

  // Nobody is preempted, nothing is chosen by chance: what happens when all goes its usual way.
  int observe_all(const std::vector<std::string>& tests) {
    report::begin(tests);
    for (const std::string& test : tests) {
      Token undisturbed;
      undisturbed.test = test;
      run_schedule(undisturbed);
    }
    report::done(ran_, failed_);
    return failed_ ? 1 : 0;
  }

  int replay_token(const Token& token) {
    if (token.build != build_)
      std::printf(
          "this is another build (%s) than the one of the token (%s): the schedule may mean "
          "something else here\n",
          build_.c_str(), token.build.c_str());
    report::begin({token.test});
    run_schedule(token);
    report::done(ran_, failed_);
    return failed_ ? 1 : 0;
  }

 private:
  void run_schedule(const Token& token) {
    report::start(token.test);
    Outcome outcome;
    keep_observations({});
    double begin = effort_seconds();
    outcome.kind = replay(token, run_of(token.test));
    outcome.seconds = effort_seconds() - begin;
    outcome.schedules = 1;
    outcome.verdict =
        options_.observe ? "the undisturbed schedule" : "the one schedule of the token";
    outcome.token = token;
    outcome.reproduced = true;
    outcome.status = outcome.kind == FailureKind::none             ? Status::passed
                     : outcome.kind == FailureKind::cannot_explore ? Status::cannot_explore
                                                                   : Status::failed;
    outcome.problem = shared_memory().failure.message;
    finish(token.test, outcome);
  }

  void finish(const std::string& test, Outcome outcome) {
    ++ran_;
    outcome.token.build = build_;
    Story story;
    std::string token;
    bool skipped = outcome.status == Status::passed && shared_memory().skipped;
    bool told = options_.observe && outcome.status == Status::passed;
    if (outcome.status == Status::failed || told) {
      failed_ += told ? 0 : 1;
      story = tell_story(shared_memory(), test, options_.columns);
      token = write_token(outcome.token);
      write_file(options_.story_svg, story.svg);
      write_file(options_.story_trace, story.chrome_trace);
    }
    if (options_.observe) report::observed(test, kept_observations(), story);
    report::finish(test, outcome, skipped, story, token);
  }

  Options options_;
  std::string build_;
  int ran_ = 0, failed_ = 0;
};

int run(const Options& options) {
  Program program(options);
  if (!options.replay.empty()) {
    auto token = read_token(options.replay);
    GTEST_FLAG_SET(filter, token ? token->test : "");
    if (!token || selected_tests().empty()) {
      std::fprintf(stderr,
                   token ? "this program has no explored test %s\n" : "that is not a token\n",
                   token ? token->test.c_str() : "");
      return 2;
    }
    return program.replay_token(*token);
  }
  std::vector<std::string> tests = selected_tests();
  if (channel::present()) tests.insert(tests.begin(), canary);
  if (tests.empty()) std::printf("there is no test of suite Explored here\n");
  return options.observe ? program.observe_all(tests) : program.explore_all(tests);
}

}  // namespace
}  // namespace explorer

int main(int argc, char** argv) {
  using namespace explorer;
  Options options = parse_options(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  if (GTEST_FLAG_GET(list_tests)) {
    if (GTEST_FLAG_GET(filter) == "*") GTEST_FLAG_SET(filter, "Explored.*:Explored/*");
    return RUN_ALL_TESTS();
  }
  if (channel::present()) register_canary();
  install_listener();
  return run(options);
}
