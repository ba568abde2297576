#include "own_test_memory.hpp"

#include <fmt/format.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <system_error>

#include "files.hpp"
namespace grader {
namespace {

using nlohmann::json;

std::uint64_t unpredictable() {
  std::random_device device;
  return std::uint64_t{device()} << 32U | device();
}

json to_json(const OwnTestReport& report) {
  return {{"verdict", static_cast<int>(report.verdict)},
          {"why", report.why},
          {"detail", report.detail},
          {"version", report.version},
          {"flaw", report.flaw},
          {"how", report.how},
          {"runs", report.runs.runs},
          {"broken", report.runs.broken},
          {"right_runs", report.right_runs},
          {"seconds", report.seconds}};
}

OwnTestReport from_json(const json& text) {
  return {.verdict = static_cast<OwnTest>(text.at("verdict").get<int>()),
          .why = text.at("why"),
          .detail = text.at("detail"),
          .version = text.at("version"),
          .flaw = text.at("flaw"),
          .how = text.at("how"),
          .runs = {.runs = text.at("runs"), .broken = text.at("broken")},
          .right_runs = text.at("right_runs"),
          .seconds = text.at("seconds")};
}

}  // namespace

OwnTestMemory::OwnTestMemory(const std::filesystem::path& folder, const std::string& key)
    : file_(folder / (key.substr(0, 32) + ".json")), seed_(unpredictable()), answers_("{}") {
  std::ifstream in(file_);
  const auto found = json::parse(in, nullptr, false);
  if (found.is_object() && found.contains("seed") && found.contains("answers")) {
    seed_ = found["seed"].get<std::uint64_t>();
    answers_ = found["answers"].dump();
  } else {
    save();
  }
}

std::optional<OwnTestReport> OwnTestMemory::recall(const std::string& question) const {
  const auto answers = json::parse(answers_);
  if (!answers.contains(question)) return std::nullopt;
  try {
    return from_json(answers[question]);
  } catch (const json::exception&) {
    return std::nullopt;  // written by another edition of the grader
  }
}

void OwnTestMemory::remember(const std::string& question, const OwnTestReport& answer) {
  auto answers = json::parse(answers_);
  answers[question] = to_json(answer);
  answers_ = answers.dump(-1, ' ', false, json::error_handler_t::replace);
  save();
}

void OwnTestMemory::save() const {
  try {
    std::filesystem::create_directories(file_.parent_path());
    write_whole_file(file_, fmt::format("{{\"seed\":{},\"answers\":{}}}\n", seed_, answers_));
  } catch (const std::system_error&) {
    // Not remembered: the next grading finds it out again.
  }
}

}  // namespace grader
