#include "channel.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/random.h>

namespace grader {

using Json = nlohmann::json;

// One parsed line; a member that is absent or of the wrong type reads as empty.
struct ChannelLog::Event {
  Json json;

  std::string text(const char* key) const {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : "";
  }
  double number(const char* key) const {
    const auto found = json.find(key);
    return found != json.end() && found->is_number() ? found->get<double>() : 0;
  }
  long count(const char* key) const {
    const auto found = json.find(key);
    return found != json.end() && found->is_number_integer() ? found->get<long>() : 0;
  }
};

namespace {

constexpr std::size_t longest_line = 256 * 1024;
constexpr std::size_t most_bytes = 32 << 20;
constexpr std::size_t most_failures = 10;
constexpr std::size_t longest_text = 64 * 1024;
constexpr int most_look_ups = 40;

std::string capped(std::string text) {
  if (text.size() > longest_text) text.resize(longest_text);
  return text;
}

Outcome outcome_of(std::string_view kind) {
  if (kind.contains("race")) return Outcome::raced;
  if (kind.contains("deadlock") || kind.contains("livelock") || kind.contains("left behind")) {
    return Outcome::hung;
  }
  if (kind.contains("use after") || kind.contains("heap") || kind.contains("free")) {
    return Outcome::sanitizer;
  }
  return kind.contains("crash") ? Outcome::crashed : Outcome::failed;
}

}  // namespace

std::string new_nonce() {
  std::array<unsigned char, 16> bytes;
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("no randomness from the system");
  }
  std::string nonce;
  for (const auto byte : bytes) nonce += fmt::format("{:02x}", byte);
  return nonce;
}

ChannelLog::ChannelLog(std::string nonce, std::vector<std::string> allowed)
    : nonce_(std::move(nonce)), allowed_(allowed.begin(), allowed.end()) {}

void ChannelLog::add(std::string_view bytes) {
  total_ += bytes.size();
  if (total_ > most_bytes) return forged("it flooded the grader's channel");
  pending_ += bytes;
  std::size_t start = 0;
  for (auto end = pending_.find('\n'); end != std::string::npos; end = pending_.find('\n', start)) {
    add_line(std::string_view(pending_).substr(start, end - start));
    start = end + 1;
  }
  pending_.erase(0, start);
  if (pending_.size() > longest_line) {
    forged("it wrote a line without end to the grader's channel");
    pending_.clear();
  }
}

void ChannelLog::add_line(std::string_view line) {
  if (!forgery_.empty()) return;
  if (!line.starts_with(nonce_) || line.size() <= nonce_.size() || line[nonce_.size()] != ' ') {
    return forged("something else than the tests wrote to the grader's channel");
  }
  Event event{Json::parse(line.substr(nonce_.size() + 1), nullptr, false)};
  if (!event.json.is_object()) return forged("a line on the grader's channel makes no sense");
  handle(event);
}

void ChannelLog::forged(const std::string& why) {
  if (forgery_.empty()) forgery_ = why;
}

void ChannelLog::handle(const Event& event) {
  const auto kind = event.text("event");
  if (kind == "look_up") return ask_for_lines(event);
  if (done_ && kind == "hang") return hung(at_end_, event);
  if (done_ && kind == "failure") return failure(at_end_, event);
  if (done_) return forged("it went on reporting after its last test");
  if (kind == "begin") return begin(event);
  if (!began_) return forged("it reported tests before it had begun");
  if (kind == "start") return start(event);
  if (kind == "done") {
    if (!current_.empty()) return forged(fmt::format("{} never ended", current_));
    const auto ran = std::ranges::count_if(tests_, [](const auto& t) { return t.second.ended; });
    // Whether it counts the canary is up to the kit.
    const long told = event.count("ran");
    const long counted = static_cast<long>(ran) + (canary_failed_ ? 1 : 0);
    if (told != counted && told + 1 != counted) return forged("its count of tests is wrong");
    done_ = true;
    return;
  }
  if (kind == "end") return end(event);
  if (kind == "inconclusive") {
    inconclusive_ = event.text("reason");
    return;
  }
  TestResult* result = open_test(event);
  if (result == nullptr) return;
  if (kind == "failure") failure(*result, event);
  if (kind == "hang") hung(*result, event);
  if (kind == "counters") {
    result->stress_rounds += std::max(0L, event.count("stress_rounds"));
    result->property_cases += std::max(0L, event.count("property_cases"));
  }
  if (kind == "explored") result->verdict = capped(event.text("verdict"));
  if (kind == "story") {
    result->headline = capped(event.text("headline"));
    result->detail = capped(event.text("lanes"));
    result->token = capped(event.text("token"));
    result->outcome = outcome_of(event.text("kind"));
  }
  if (kind == "lanes") result->detail = capped(event.text("lanes"));
  if (kind == "observed") {
    result->observations.push_back({capped(event.text("question")), capped(event.text("answer"))});
  }
  // Events of a newer kit are passed over.
}

void ChannelLog::ask_for_lines(const Event& event) {
  auto& addresses = look_up_.emplace();
  if (++look_ups_ > most_look_ups) return;
  const auto list = event.json.find("addresses");
  if (list == event.json.end() || !list->is_array()) return;
  constexpr std::string_view digits = "0123456789abcdef";
  for (const auto& item : *list) {
    const auto address = item.is_string() ? item.get<std::string>() : "";
    const bool hex = address.starts_with("0x") && address.size() <= 18 &&
                     address.find_first_not_of(digits, 2) == std::string::npos;
    if (hex) addresses.push_back(address);
  }
}

void ChannelLog::begin(const Event& event) {
  if (began_) return forged("it began twice");
  began_ = true;
  const auto list = event.json.find("tests");
  if (list == event.json.end() || !list->is_array()) return;
  for (const auto& name : *list) {
    if (name.is_string() && name != canary) announced_.push_back(name.get<std::string>());
  }
  if (allowed_.empty()) allowed_.insert(announced_.begin(), announced_.end());
}

void ChannelLog::start(const Event& event) {
  const auto name = event.text("test");
  if (!current_.empty()) {
    return forged(fmt::format("{} was started inside of {}", name, current_));
  }
  current_ = name;
  if (name == canary) return;
  if (!allowed_.contains(name)) {
    return forged(fmt::format("it ran {}, which is none of the tests", name));
  }
  auto& seen = tests_[name];
  if (seen.started) return forged(fmt::format("{} was started twice", name));
  seen.started = true;
  seen.result.name = name;
}

void ChannelLog::end(const Event& event) {
  const auto name = event.text("test");
  const auto status = event.text("status");
  if (name.empty() || name != current_) return forged(fmt::format("{} ended unstarted", name));
  current_.clear();
  if (name == canary) {
    canary_failed_ = status == "failed";
    if (!canary_failed_) forged("a test that must fail did not");
    return;
  }
  last_ = name;
  auto& seen = tests_[name];
  seen.ended = true;
  seen.result.ms = event.number("ms");
  const bool failed = !seen.result.failures.empty() || seen.result.outcome != Outcome::not_run;
  if (status == "passed") {
    if (failed) return forged(fmt::format("{} passed with failures", name));
    seen.result.outcome = Outcome::passed;
  } else if (status == "skipped") {
    seen.result.outcome = Outcome::not_run;
    if (seen.result.headline.empty()) seen.result.headline = seen.result.verdict;
  } else if (seen.result.outcome == Outcome::not_run) {
    seen.result.outcome = Outcome::failed;
  }
}

bool ChannelLog::has_failure() const {
  return std::ranges::any_of(tests_, [](const auto& test) {
    const auto outcome = test.second.result.outcome;
    return test.second.ended && outcome != Outcome::passed && outcome != Outcome::not_run;
  });
}

TestResult* ChannelLog::open_test(const Event& event) {
  auto name = event.text("test");
  if (name == canary) return nullptr;
  // What happens between tests (a leftover thread's failure) belongs to the one before.
  if (name.empty()) name = current_.empty() ? last_ : current_;
  const auto found = tests_.find(name);
  if (found == tests_.end() || !found->second.started) {
    forged(fmt::format("it reported on {}, which was not running", name));
    return nullptr;
  }
  return &found->second.result;
}

void ChannelLog::failure(TestResult& result, const Event& event) {
  if (result.failures.size() >= most_failures) return;
  result.failures.push_back({capped(event.text("file")), static_cast<int>(event.count("line")),
                             capped(event.text("message"))});
  const auto seen = tests_.find(result.name);
  if (seen != tests_.end() && seen->second.ended) result.outcome = Outcome::failed;
}

void ChannelLog::hung(TestResult& result, const Event& event) {
  hang_ = event.text("reason");
  result.outcome = Outcome::hung;
  result.headline = capped(hang_);
  result.detail = capped(event.text("stacks"));
  if (const auto file = event.text("file"); !file.empty()) {
    result.failures.push_back({capped(file), static_cast<int>(event.count("line")), hang_});
  }
}

}  // namespace grader
