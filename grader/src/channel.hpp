#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model.hpp"

namespace grader {

// What one run of a test program told over its channel. Believes nothing: a line without the
// nonce, an event out of order, an unknown test or two ends of one test are noted as forgery.
class ChannelLog {
 public:
  static constexpr std::string_view canary = "Canary.MustFail";

  struct Seen {
    bool started = false;
    bool ended = false;
    TestResult result;  // outcome only final when ended
  };

  // `allowed`: the tests that may be reported; empty: those the program announces.
  ChannelLog(std::string nonce, std::vector<std::string> allowed);

  // Bytes as they arrive, in any portions.
  void add(std::string_view bytes);

  bool began() const { return began_; }
  bool done() const { return done_; }
  bool canary_failed() const { return canary_failed_; }
  // Why this run can't be believed; empty when it can.
  const std::string& forgery() const { return forgery_; }
  // Whether a test has ended in any other way than by passing or leaving itself out.
  bool has_failure() const;
  // The test that was started and has not ended; empty when there is none.
  const std::string& current() const { return current_; }
  // The test that ended last.
  const std::string& last() const { return last_; }
  const std::vector<std::string>& announced() const { return announced_; }
  std::map<std::string, Seen>& tests() { return tests_; }
  // What went wrong after the last test, while the program was ending.
  const TestResult& at_end() const { return at_end_; }
  // The watchdog spoke, or the kit was starved: why.
  const std::string& hang() const { return hang_; }
  const std::string& inconclusive() const { return inconclusive_; }

  // The addresses that the program wants to know the source lines of, and waits for, once; none of
  // them when it has asked too often.
  std::optional<std::vector<std::string>> take_look_up() {
    return std::exchange(look_up_, std::nullopt);
  }

  // For checks over several runs: the same event handling without a program.
  void add_line(std::string_view line);

 private:
  struct Event;
  void handle(const Event& event);
  void begin(const Event& event);
  void start(const Event& event);
  void end(const Event& event);
  void failure(TestResult& result, const Event& event);
  void hung(TestResult& result, const Event& event);
  void ask_for_lines(const Event& event);
  TestResult* open_test(const Event& event);
  void forged(const std::string& why);

  std::string nonce_;
  std::set<std::string> allowed_;
  std::string pending_;
  std::map<std::string, Seen> tests_;
  std::vector<std::string> announced_;
  std::string current_;
  std::string last_;
  std::string forgery_;
  TestResult at_end_;
  std::string hang_;
  std::string inconclusive_;
  std::optional<std::vector<std::string>> look_up_;
  int look_ups_ = 0;
  bool began_ = false;
  bool done_ = false;
  bool canary_failed_ = false;
  std::size_t total_ = 0;
};

// 32 hex digits from the system's source of randomness.
std::string new_nonce();

}  // namespace grader
