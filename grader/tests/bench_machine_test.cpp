// When the machine stood in the way, and the kit says so over its channel: no verdict, and no fail.
#include <algorithm>
#include <gtest/gtest.h>

#include "files.hpp"
#include "hostile_corpus.hpp"

namespace grader::hostile {
namespace {

// What the kit's watchdog does when the machine lets a test run too little.
constexpr std::string_view starved = R"(#include "first_future.hpp"
#include <gtest/gtest.h>
#include <unistd.h>
#include "testing/result_channel.hpp"
TEST(Basic, IsStarved) {
  workbook::ResultChannel::instance().send(workbook::Event("inconclusive")
                                               .text("test", "Basic.IsStarved")
                                               .text("reason", "the machine is too busy"));
  ::_exit(87);
}
TEST(Basic, ComesLater) {}
)";

TEST(Machine, AStarvedProgramGetsNoVerdict) {
  Ground ground;
  const auto& task = ground.task();
  write_whole_file(task.dir / "suite.cpp", std::string(starved));
  const Program program{.task = &task,
                        .source = task.dir / "suite.cpp",
                        .header = ground.workbook().reference(task),
                        .uses = {},
                        .flavour = Flavour::plain,
                        .label = "starved"};
  const auto built = ground.bench().build(std::span(&program, 1), {}, {}).front();
  ASSERT_TRUE(built.ok) << built.error << built.refused << built.machine;
  RunOptions options;
  options.use_cache = false;
  options.expected = {"Basic.IsStarved", "Basic.ComesLater"};
  const auto outcome = ground.bench().run(program, options, {});
  EXPECT_EQ(outcome.machine, "the machine is too busy");
  EXPECT_EQ(outcome.problem, "");
  EXPECT_EQ(outcome.tests.size(), 2U);
  for (const auto& test : outcome.tests) EXPECT_EQ(test.outcome, Outcome::inconclusive);
}

}  // namespace
}  // namespace grader::hostile
