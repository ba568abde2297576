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

std::vector<Failure> failures_of(Flavour flavour, std::string_view fault) {
  Ground ground;
  const auto header = ground.scratch() / "faulty/01_first_future/first_future.hpp";
  fs::create_directories(header.parent_path());
  write_whole_file(header, fmt::format(faulty, fault));
  const auto& task = ground.task();
  const Program program{.task = &task,
                        .source = task.dir / "suite.cpp",
                        .header = header,
                        .uses = {},
                        .flavour = flavour,
                        .label = "faulty"};
  const auto built = ground.bench().build(std::span(&program, 1), {}, {}).front();
  EXPECT_TRUE(built.ok) << built.error << built.refused << built.machine;
  RunOptions options;
  options.use_cache = false;
  options.expected = ground.bench().expected_tests(task, program.source, flavour);
  std::vector<Failure> failures;
  for (const auto& test : ground.bench().run(program, options, {}).tests) {
    const auto wanted = flavour == Flavour::thread ? Outcome::raced : Outcome::sanitizer;
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

TEST(Reports, ARaceNamesTheLine) { expect_the_line(failures_of(Flavour::thread, "++calls;")); }

TEST(Reports, AMemoryErrorNamesTheLine) {
  expect_the_line(failures_of(Flavour::address, "int* p = new int(1); delete p; calls = *p;"));
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
