#include "testing/reporter.hpp"

#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include "testing/failures.hpp"
#include "testing/history.hpp"
#include "testing/report.hpp"

namespace workbook {

namespace {

constexpr std::size_t most_told = 10;
constexpr std::size_t longest_message = 8000;
constexpr std::string_view unwritten = "not implemented yet";

struct Failure {
  std::string file;
  int line = 0;
  std::string message;
};

// GoogleTest says: C++ exception with description "..." thrown in the test body.
std::string exception_text(std::string_view message) {
  // What ADD_FAILURE says where an expectation would say what it expected.
  constexpr std::string_view nothing = "Failed\n";
  if (message.starts_with(nothing)) message.remove_prefix(nothing.size());
  static constexpr std::string_view opening = "C++ exception with description \"";
  if (message.starts_with("Unknown C++ exception thrown")) {
    return "an exception left the test, and it is not a std::exception";
  }
  if (!message.starts_with(opening)) return std::string(message);
  message.remove_prefix(opening.size());
  const auto what = message.substr(0, message.rfind("\" thrown in "));
  if (what.starts_with(unwritten)) return std::string(what);
  return "an exception left the test: " + std::string(what);
}

// "not implemented yet: <function>, promise.hpp:12" says itself where it belongs to.
void locate_unwritten(Failure& failure) {
  const std::string_view what =
      std::string_view(failure.message).substr(0, failure.message.find('\n'));
  const auto comma = what.rfind(", ");
  const auto colon = what.rfind(':');
  if (comma == std::string_view::npos || colon == std::string_view::npos || colon < comma) return;
  failure.file = what.substr(comma + 2, colon - comma - 2);
  failure.line = std::atoi(what.substr(colon + 1).data());
}

void shorten(std::string& text) {
  if (text.size() <= longest_message) return;
  text.resize(longest_message);
  text += "\n(... shortened)";
}

std::string trimmed(std::string text) {
  text.erase(text.find_last_not_of(" \n") + 1);
  return text;
}

// Asking GoogleTest which test is running would deadlock: it holds its lock while it reports.
Failure failure_of(const testing::TestPartResult& result, const testing::TestInfo* test) {
  Failure failure{"", result.line_number(), trimmed(exception_text(result.message()))};
  if (result.file_name() != nullptr) failure.file = result.file_name();
  if (failure.message.starts_with(unwritten)) locate_unwritten(failure);
  if (failure.file.empty() && test != nullptr) {
    failure.file = test->file();
    failure.line = test->line();
  }
  shorten(failure.message);
  return failure;
}

}  // namespace

std::string circumstances() {
  std::string text;
  if (const auto place = report::place(); !place.empty()) text += "\n" + place;
  if (auto lines = History::text_of_all(); !lines.empty()) {
    lines.pop_back();
    text += "\nobserved, in this order:\n" + lines;
    shorten(text);
  }
  return text;
}

std::string full_name(const testing::TestInfo& test) {
  return std::string(test.test_suite_name()) + "." + test.name();
}

Reporter::Reporter(std::unique_ptr<testing::TestEventListener> console)
    : console_(std::move(console)) {}

void Reporter::OnTestProgramStart(const testing::UnitTest& unit) {
  if (console_) console_->OnTestProgramStart(unit);
}

void Reporter::OnTestIterationStart(const testing::UnitTest& unit, int iteration) {
  std::vector<std::string> names;
  for (int s = 0; s < unit.total_test_suite_count(); ++s) {
    const auto* suite = unit.GetTestSuite(s);
    for (int t = 0; t < suite->total_test_count(); ++t) {
      const auto* test = suite->GetTestInfo(t);
      if (test->should_run()) names.push_back(full_name(*test));
    }
  }
  static constexpr const char* flavours[] = {"plain", "thread", "address", "explored"};
  ResultChannel::instance().send(
      Event("begin").texts("tests", names).text("flavour", flavours[static_cast<int>(flavour())]));
  if (console_) console_->OnTestIterationStart(unit, iteration);
}

void Reporter::OnEnvironmentsSetUpStart(const testing::UnitTest& unit) {
  if (console_) console_->OnEnvironmentsSetUpStart(unit);
}

void Reporter::OnEnvironmentsSetUpEnd(const testing::UnitTest& unit) {
  if (console_) console_->OnEnvironmentsSetUpEnd(unit);
}

void Reporter::OnTestSuiteStart(const testing::TestSuite& suite) {
  if (console_) console_->OnTestSuiteStart(suite);
}

void Reporter::OnTestStart(const testing::TestInfo& test) {
  ResultChannel::instance().send(Event("start").text("test", full_name(test)));
  if (console_) console_->OnTestStart(test);
  test_ = &test;
  told_.clear();
  untold_ = 0;
  start_ = std::chrono::steady_clock::now();
}

void Reporter::OnTestPartResult(const testing::TestPartResult& result) {
  if (!result.failed()) {
    if (console_) console_->OnTestPartResult(result);
    return;
  }
  const Failure failure = failure_of(result, test_);
  const auto place = failure.file + ":" + std::to_string(failure.line);
  auto& kept = detail::KeptFailures::instance();
  if (kept.keeping()) {
    const bool needs_place = !failure.message.starts_with(unwritten);
    kept.add((needs_place ? place + ": " : "") + failure.message + circumstances());
    return;
  }
  if (told_.size() == most_told || !told_.insert(place + failure.message).second) {
    ++untold_;
    return;
  }
  const auto message = failure.message + circumstances();
  ResultChannel::instance().send(Event("failure")
                                     .text("test", test_ != nullptr ? full_name(*test_) : "")
                                     .text("file", failure.file)
                                     .number("line", failure.line)
                                     .text("message", message));
  if (console_) {
    console_->OnTestPartResult(testing::TestPartResult(result.type(), failure.file.c_str(),
                                                       failure.line, (message + "\n").c_str()));
  }
}

void Reporter::tell_counters(const std::string& test) {
  const long stress_rounds = report::stress_rounds.exchange(0);
  const long property_cases = report::property_cases.exchange(0);
  if (stress_rounds != 0 || property_cases != 0) {
    ResultChannel::instance().send(
        Event("counters")
            .text("test", test)
            .number("stress_rounds", static_cast<double>(stress_rounds))
            .number("property_cases", static_cast<double>(property_cases)));
  }
}

void Reporter::OnTestEnd(const testing::TestInfo& test) {
  const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - start_;
  const auto name = full_name(test);
  tell_counters(name);
  for (const auto& reason : report::take_inconclusive()) {
    ResultChannel::instance().send(Event("inconclusive").text("test", name).text("reason", reason));
  }
  for (const auto& [question, answer] : report::take_observations()) {
    ResultChannel::instance().send(
        Event("observed").text("test", name).text("question", question).text("answer", answer));
    if (console_) std::printf("%s: %s\n", question.c_str(), answer.c_str());
  }
  const auto& result = *test.result();
  const char* status = result.Failed() ? "failed" : result.Skipped() ? "skipped" : "passed";
  ++ran_;
  ResultChannel::instance().send(
      Event("end").text("test", name).text("status", status).number("ms", spent.count()));
  test_ = nullptr;
  if (!console_) return;
  if (untold_ > 0) std::printf("(and %d more failures of this test)\n", untold_);
  console_->OnTestEnd(test);
}

void Reporter::OnTestSuiteEnd(const testing::TestSuite& suite) {
  if (console_) console_->OnTestSuiteEnd(suite);
}

void Reporter::OnEnvironmentsTearDownStart(const testing::UnitTest& unit) {
  if (console_) console_->OnEnvironmentsTearDownStart(unit);
}

void Reporter::OnEnvironmentsTearDownEnd(const testing::UnitTest& unit) {
  if (console_) console_->OnEnvironmentsTearDownEnd(unit);
}

void Reporter::OnTestIterationEnd(const testing::UnitTest& unit, int iteration) {
  if (console_) console_->OnTestIterationEnd(unit, iteration);
}

void Reporter::OnTestProgramEnd(const testing::UnitTest& unit) {
  ResultChannel::instance().send(Event("done").number("ran", ran_));
  if (console_) console_->OnTestProgramEnd(unit);
}

}  // namespace workbook
