#include "gtest/report.hpp"

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "gtest/channel.hpp"

namespace explorer::report {
namespace {

struct Failed {
  std::string file;
  int line = 0;
  std::string message;
};

// GoogleTest says: C++ exception with description "..." thrown in the test body.
std::string exception_text(std::string_view message) {
  // What ADD_FAILURE says where an expectation would say what it expected.
  constexpr std::string_view nothing = "Failed\n";
  if (message.starts_with(nothing)) message.remove_prefix(nothing.size());
  constexpr std::string_view opening = "C++ exception with description \"";
  if (message.starts_with("Unknown C++ exception thrown"))
    return "an exception left the test, and it is not a std::exception";
  if (!message.starts_with(opening)) return std::string(message);
  message.remove_prefix(opening.size());
  std::string what(message.substr(0, message.rfind("\" thrown in ")));
  return what.starts_with("not implemented yet") ? what : "an exception left the test: " + what;
}

// "not implemented yet: <function>, promise.hpp:12" says itself where it belongs to.
void locate_unwritten(Failed& failed) {
  std::string_view what = std::string_view(failed.message).substr(0, failed.message.find('\n'));
  std::size_t comma = what.rfind(", "), colon = what.rfind(':');
  if (comma == std::string_view::npos || colon == std::string_view::npos || colon < comma) return;
  failed.file = what.substr(comma + 2, colon - comma - 2);
  failed.line = std::atoi(what.data() + colon + 1);
}

Failed failed_assertion(const Failure& failure, const Story& story) {
  Failed failed;
  if (failure.kind == FailureKind::check_failed) {
    failed = {failure.file, failure.line, exception_text(failure.message)};
    failed.message.erase(failed.message.find_last_not_of(" \n") + 1);
    if (failed.message.starts_with("not implemented yet")) locate_unwritten(failed);
    return failed;
  }
  failed.message = story.headline;
  std::string message = failure.message;
  if (std::size_t at = message.find("not implemented yet"); at != std::string::npos) {
    failed.message = message.substr(at);  // an exception that left a thread
    locate_unwritten(failed);
  }
  return failed;
}

void to_grader(const std::string& test, const Outcome& outcome, bool skipped, const Story& story,
               const std::string& token) {
  const char* status = skipped || outcome.status == Status::cannot_explore ? "skipped"
                       : outcome.status == Status::failed                  ? "failed"
                                                                           : "passed";
  if (outcome.status == Status::failed) {
    Failed failed = failed_assertion(shared->failure, story);
    channel::send(Message("failure")
                      .text("test", test)
                      .text("file", failed.file)
                      .number("line", failed.line)
                      .text("message", failed.message));
    channel::send(Message("story")
                      .text("test", test)
                      .text("kind", story.kind)
                      .text("headline", story.headline)
                      .text("lanes", story.lanes)
                      .text("token", token)
                      .number("step_count", story.step_count));
  }
  std::string verdict = outcome.status == Status::cannot_explore
                            ? "cannot be explored: " + outcome.problem
                            : outcome.verdict;
  channel::send(Message("explored")
                    .text("test", test)
                    .text("verdict", verdict)
                    .number("schedules", static_cast<double>(outcome.schedules))
                    .number("bound", outcome.bound)
                    .flag("exhausted", outcome.exhausted)
                    .number("seconds", outcome.seconds));
  channel::send(Message("end")
                    .text("test", test)
                    .text("status", status)
                    .number("ms", outcome.seconds * 1000));
}

void to_person(const std::string& test, const Outcome& outcome, bool skipped, const Story& story,
               const std::string& token) {
  double rate = outcome.seconds > 0 ? static_cast<double>(outcome.schedules) / outcome.seconds : 0;
  if (skipped) {
    std::printf("[ SKIPPED ] %s\n", test.c_str());
  } else if (outcome.status == Status::cannot_explore) {
    std::printf("[ SKIPPED ] %s\n  it cannot be explored: %s\n", test.c_str(),
                outcome.problem.c_str());
  } else if (outcome.status == Status::passed) {
    std::printf("[      OK ] %s\n  %s, %llu in %.2f s (%.0f/s)\n", test.c_str(),
                outcome.verdict.c_str(), static_cast<unsigned long long>(outcome.schedules),
                outcome.seconds, rate);
  } else {
    std::printf("[  FAILED ] %s\n  schedule %llu, after %.3f s\n\n%s\n", test.c_str(),
                static_cast<unsigned long long>(outcome.schedules), outcome.seconds,
                story.lanes.c_str());
    if (!outcome.reproduced) std::printf("(replaying it did not fail in the same way)\n");
    std::printf("replay with --replay='%s'\n\n", token.c_str());
  }
  std::fflush(stdout);
}

}  // namespace

void begin(const std::vector<std::string>& tests) {
  channel::send(Message("begin").texts("tests", tests).text("flavour", "explored"));
}

void start(const std::string& test) {
  channel::send(Message("start").text("test", test));
  if (!channel::present()) {
    std::printf("[ RUN     ] %s\n", test.c_str());
    std::fflush(stdout);
  }
}

void observed(const std::string& test, const std::vector<Observation>& seen, const Story& story) {
  for (const auto& [question, answer] : seen) {
    channel::send(
        Message("observed").text("test", test).text("question", question).text("answer", answer));
    if (!channel::present()) std::printf("  %s: %s\n", question.c_str(), answer.c_str());
  }
  if (channel::present())
    channel::send(Message("lanes").text("test", test).text("lanes", story.lanes));
  else
    std::printf("\n%s\n", story.lanes.c_str());
}

void finish(const std::string& test, const Outcome& outcome, bool skipped, const Story& story,
            const std::string& token) {
  (channel::present() ? to_grader : to_person)(test, outcome, skipped, story, token);
}

void done(int ran, int failed) {
  channel::send(Message("done").number("ran", ran));
  if (channel::present()) return;
  if (failed)
    std::printf("%d of %d explored tests failed\n", failed, ran);
  else
    std::printf("%d explored tests passed\n", ran);
}

}  // namespace explorer::report
