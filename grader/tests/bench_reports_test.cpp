// What an author is told has a place in the author's own file, also when a sanitizer found it.
#include <filesystem>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "files.hpp"
#include "hostile_corpus.hpp"

namespace grader::hostile {
namespace {

namespace fs = std::filesystem;

// Task 1 with two faults that no schedule can hide. The line of each is named in the reports.
constexpr std::string_view faulty = R"(#pragma once
#include "runtime/channel.hpp"
#include "runtime/spawn.hpp"
namespace futures {{
inline long calls = 0;
inline Receiver<int> async(Fn<int()> fn) {{
  auto [sender, receiver] = make_channel<int>(1);
  spawn([fn = std::move(fn), sender]() mutable {{
    {}
    try {{ sender.send(fn()); }} catch (...) {{}}
    sender.close();
  }});
  return receiver;
}}
}}
)";
constexpr int line_of_fault = 9;

RunOutcome outcome_of(Flavour flavour, const std::string& source, RunOptions options = {}) {
  Ground ground;
  const auto header = ground.scratch() / "faulty/01_first_future/first_future.hpp";
  fs::create_directories(header.parent_path());
  write_whole_file(header, source);
  const auto& task = ground.task();
  const Program program{.task = &task,
                        .source = task.dir / "suite.cpp",
                        .header = header,
                        .uses = {},
                        .flavour = flavour,
                        .label = "faulty"};
  const auto built = ground.bench().build(std::span(&program, 1), {}, {}).front();
  EXPECT_TRUE(built.ok) << built.error << built.refused << built.machine;
  options.use_cache = false;
  options.expected = ground.bench().expected_tests(task, program.source, flavour);
  return ground.bench().run(program, options, {});
}

std::vector<Failure> failures_of(Flavour flavour, std::string_view fault, Outcome wanted,
                                 const RunOptions& options = {}) {
  std::vector<Failure> failures;
  for (const auto& test : outcome_of(flavour, fmt::format(faulty, fault), options).tests) {
    if (test.outcome != wanted) continue;
    failures.insert(failures.end(), test.failures.begin(), test.failures.end());
  }
  return failures;
}

void expect_the_line(const std::vector<Failure>& failures) {
  ASSERT_FALSE(failures.empty());
  for (const auto& failure : failures) {
    EXPECT_EQ(failure.file, "01_first_future/first_future.hpp") << failure.message;
    EXPECT_EQ(failure.line, line_of_fault) << failure.message;
  }
}

TEST(Reports, ARaceNamesTheLine) {
  expect_the_line(failures_of(Flavour::thread, "++calls;", Outcome::raced));
}

TEST(Reports, NoRaceIsMadeOfANumberThatIsGivenToAnotherThread) {
  const auto odd = read_regular_file(
      REPOSITORY_DIR "/grader/tests/odd/a_number_of_a_thread_that_is_given_again.hpp", 1 << 20);
  ASSERT_TRUE(odd);
  const auto outcome = outcome_of(Flavour::thread, *odd);
  ASSERT_FALSE(outcome.tests.empty()) << outcome.problem;
  for (const auto& test : outcome.tests) {
    EXPECT_EQ(test.outcome, Outcome::passed) << test.name << ": " << test.headline;
  }
}

TEST(Reports, AMemoryErrorNamesTheLine) {
  expect_the_line(failures_of(Flavour::address, "int* p = new int(1); delete p; calls = *p;",
                              Outcome::sanitizer));
}

// In a plain build the program may start no other, so it asks the grader what its addresses mean.
RunOptions one_test() {
  RunOptions options;
  options.filter = "Basic.TheValueArrives";
  options.test_seconds = 2;
  return options;
}

TEST(Reports, ABlockedThreadNamesTheLineInAPlainBuild) {
  expect_the_line(failures_of(Flavour::plain, "make_channel<int>(1).second.receive();",
                              Outcome::hung, one_test()));
}

TEST(Reports, AnEndlessLoopNamesTheLineInAPlainBuild) {
  expect_the_line(failures_of(Flavour::plain, "while (calls == 0) { }", Outcome::hung, one_test()));
}

TEST(Reports, ACrashNamesTheLineInAPlainBuild) {
  expect_the_line(failures_of(Flavour::plain, "*reinterpret_cast<volatile int*>(8) = 1;",
                              Outcome::crashed, one_test()));
}

TEST(Reports, AHangAfterTheLastTestIsAHang) {
  const auto source = fmt::format(faulty, "") +
                      "namespace futures {\ninline struct Last {\n  ~Last() {\n"
                      "    make_channel<int>(1).second.receive();\n  }\n} last;\n}\n";
  const auto outcome = outcome_of(Flavour::plain, source, one_test());
  ASSERT_EQ(outcome.problem, "");
  const auto& end = outcome.tests.back();
  EXPECT_EQ(end.name, "Process.EndsCleanlyAfterTheLastTest");
  EXPECT_EQ(end.outcome, Outcome::hung) << end.headline;
  ASSERT_FALSE(end.failures.empty()) << end.detail;
  EXPECT_EQ(end.failures.front().file, "01_first_future/first_future.hpp");
}

// What a header is must not depend on who looks: the rules compare the builds.
TEST(Rules, AHeaderThatIsCarefulOnlyUnderASanitizerIsRefused) {
  Ground ground;
  const auto header = ground.scratch() / "careful/01_first_future/first_future.hpp";
  fs::create_directories(header.parent_path());
  write_whole_file(header, fmt::format(faulty,
                                       "\n#define ASKS __has_feature\n"
                                       "#if !ASKS(thread_sanitizer)\n++calls;\n#endif\n"
                                       "#undef ASKS\n"));
  const Program program{.task = &ground.task(),
                        .source = ground.task().dir / "suite.cpp",
                        .header = header,
                        .uses = {},
                        .flavour = Flavour::thread,
                        .label = "careful"};
  const auto built = ground.bench().build(std::span(&program, 1), {}, {}).front();
  EXPECT_TRUE(built.refused.contains("another program")) << built.refused << built.error;
}

}  // namespace
}  // namespace grader::hostile
