// A build that nobody wants any more is given up, and leaves nothing that a later one would find.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <random>
#include <stop_token>
#include <thread>

#include "files.hpp"
#include "hostile_corpus.hpp"
#include "workbook.hpp"

namespace grader::hostile {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class AbandonedBuild : public testing::Test {
 protected:
  // New each time: what was built in an earlier run is simply there.
  Program new_program() {
    const auto header = ground_.scratch() / "unwanted/01_first_future/first_future.hpp";
    fs::create_directories(header.parent_path());
    write_whole_file(header, fmt::format("// {}\n{}", std::random_device{}(),
                                         slurp(ground_.task().solution / ground_.task().header)));
    const auto& task = ground_.task();
    return {.task = &task,
            .source = task.dir / "suite.cpp",
            .header = header,
            .uses = {},
            .flavour = Flavour::plain,
            .label = "unwanted"};
  }

  BuildOutcome build(const Program& program) {
    return ground_.bench().build(std::span(&program, 1), {}, {}).front();
  }

  Ground ground_;
};

std::string told(const BuildOutcome& outcome) {
  return outcome.error + outcome.refused + outcome.machine;
}

TEST_F(AbandonedBuild, OneThatHasNotBegunIsLeft) {
  std::stop_source unwanted;
  unwanted.request_stop();
  auto program = new_program();
  program.unwanted = unwanted.get_token();
  const auto outcome = build(program);
  EXPECT_TRUE(outcome.abandoned) << told(outcome);
  EXPECT_FALSE(outcome.ok);
}

// The moments are spread over a build on a fast machine and on a slow one. Wherever they fall, the
// outcome is one of two, and the next build is as good as the first.
TEST_F(AbandonedBuild, OneThatIsUnderWayEndsAndTheNextIsWhole) {
  for (const auto moment : {0ms, 50ms, 200ms, 500ms, 1000ms}) {
    std::stop_source unwanted;
    auto program = new_program();
    program.unwanted = unwanted.get_token();
    {
      const std::jthread changes_its_mind([&] {
        std::this_thread::sleep_for(moment);
        unwanted.request_stop();
      });
      const auto outcome = build(program);
      EXPECT_NE(outcome.abandoned, outcome.ok) << told(outcome);
    }
    program.unwanted = {};
    const auto outcome = build(program);
    EXPECT_TRUE(outcome.ok) << told(outcome);
  }
}

}  // namespace
}  // namespace grader::hostile
