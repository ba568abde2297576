// A whole test program, run the way the grader and a person run it.
#include <cstdlib>
#include <gtest/gtest.h>
#include <string>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

struct Result {
  std::string output;
  int status = -1;
};

// With a channel: what came over it. Without: standard output.
Result run(const std::vector<std::string>& arguments, bool with_channel) {
  int ends[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  std::vector<char*> argv;
  std::string program = SAMPLE_PROGRAM;
  argv.push_back(program.data());
  std::vector<std::string> copies = arguments;
  for (std::string& argument : copies) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    if (with_channel)
      setenv("WORKBOOK_CHANNEL", std::to_string(ends[1]).c_str(), 1);
    else
      dup2(ends[1], STDOUT_FILENO);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(ends[1]);
  if (with_channel) EXPECT_EQ(write(ends[0], "secret\n", 7), 7);
  Result result;
  char buffer[4096];
  for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;)
    result.output.append(buffer, static_cast<std::size_t>(got));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

bool has(const Result& run, const std::string& text) {
  return run.output.find(text) != std::string::npos;
}

TEST(Program, TellsTheGrader) {
  Result result = run({"--explore_seconds=1"}, true);
  EXPECT_EQ(result.status, 1);
  EXPECT_TRUE(
      result.output.starts_with("secret {\"event\":\"begin\",\"tests\":[\"Canary.MustFail\","))
      << result.output;
  EXPECT_TRUE(has(result, "\"event\":\"end\",\"test\":\"Canary.MustFail\",\"status\":\"failed\""))
      << result.output;
  EXPECT_TRUE(has(result, "\"event\":\"story\",\"test\":\"Explored.ALostUpdateIsFound\""))
      << result.output;
  EXPECT_TRUE(
      has(result,
          "\"test\":\"Explored.AnAtomicCounterIsRight\",\"verdict\":\"all schedules with up to "))
      << result.output;
  EXPECT_TRUE(has(result, "\"test\":\"Explored.ASkippedTestIsSkipped\",\"status\":\"skipped\""))
      << result.output;
  EXPECT_TRUE(has(result, "secret {\"event\":\"done\",\"ran\":4}")) << result.output;
  EXPECT_FALSE(has(result, "Basic")) << result.output;
}

TEST(Program, ReplaysItsTokens) {
  Result first = run({"--explore_seconds=1", "--gtest_filter=*LostUpdate*"}, false);
  EXPECT_TRUE(has(first, "count = 1, 2")) << first.output;  // what was compared, and how it was
  ASSERT_EQ(first.status, 1);
  std::size_t at = first.output.find("--replay='");
  ASSERT_NE(at, std::string::npos) << first.output;
  at += 10;
  std::string token = first.output.substr(at, first.output.find('\'', at) - at);
  std::string lanes;
  for (int i = 0; i < 10; ++i) {
    Result again = run({"--replay=" + token}, false);
    EXPECT_EQ(again.status, 1) << again.output;
    std::string now = again.output.substr(again.output.find("A check fails"));
    if (i) EXPECT_EQ(now, lanes);
    lanes = now;
  }
  Result other = run({"--replay=" + token.substr(0, token.find('~')) + "~00000000" +
                      token.substr(token.find('~', token.find('~') + 1))},
                     false);
  EXPECT_TRUE(has(other, "this is another build")) << other.output;
}

TEST(Program, SaysWhatIsWrongWithItsArguments) {
  EXPECT_EQ(run({"--explore_second=1"}, false).status, 2);
  EXPECT_EQ(run({"--replay=nonsense"}, false).status, 2);
  EXPECT_EQ(run({"--replay=Explored.Missing~00000000~d-"}, false).status, 2);
}

TEST(Program, ListsOnlyItsOwnSuite) {
  Result result = run({"--gtest_list_tests"}, false);
  EXPECT_TRUE(has(result, "AnAtomicCounterIsRight")) << result.output;
  EXPECT_FALSE(has(result, "IsNotRun")) << result.output;
}

}  // namespace
