#include "build_log.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <signal.h>

#include "compile_error.hpp"
#include "sandbox.hpp"

namespace grader {
namespace fs = std::filesystem;
namespace {

// From inside a box, and from a shell, a signal arrives as 128 + its number.
bool ended_by(const ProcessResult& result, int signal) {
  return result.signal == signal || result.exit_code == 128 + signal;
}

bool disk_is_full(const fs::path& folder) {
  std::error_code ec;
  const auto space = fs::space(folder, ec);
  return !ec && space.available < (16 << 20);
}

}  // namespace

void judge_compilation(const ProcessResult& result, const std::string& log,
                       const std::string& folder, const fs::path& build_dir,
                       BuildOutcome& outcome) {
  if (result.ending == Ending::interrupted) {
    outcome.machine = "interrupted";
  } else if (result.ending == Ending::not_started) {
    outcome.machine = fmt::format("the compiler could not be started: {}", result.trouble);
  } else if (const auto trouble = Sandbox::trouble(result); !trouble.empty()) {
    outcome.machine = fmt::format("the sandbox could not be set up: {}", trouble);
  } else if (result.ending == Ending::out_of_memory) {
    outcome.error = fmt::format(
        "the compiler needs more than {} GB for this header: probably a "
        "template or a constexpr that never ends",
        compile_memory >> 30);
  } else if (result.ending == Ending::flood) {
    outcome.error = "the compiler has more to say about this header than anybody could read";
  } else if (ended_by(result, SIGXCPU) || log.contains("CPU time limit exceeded")) {
    outcome.timed_out = true;
    outcome.error = fmt::format(
        "compiling took more than {} s of processor time and was stopped: "
        "probably a template, a constexpr or an #include that never ends",
        compile_cpu_seconds);
  } else if (result.ending == Ending::out_of_time) {
    outcome.timed_out = true;
    outcome.machine = "the machine was too busy to compile this in time";
  } else if (disk_is_full(build_dir)) {
    outcome.machine = fmt::format("no space left in {}", build_dir.string());
  } else if (ended_by(result, SIGKILL)) {
    outcome.machine = "something killed the compiler (did the machine run out of memory?)";
  } else {
    outcome.error = first_error(log, folder);
    if (outcome.error.contains("Segmentation fault") || ended_by(result, SIGSEGV)) {
      outcome.error =
          "the compiler crashed on this header: something in it is nested or repeated beyond "
          "measure";
    }
    if (outcome.error.empty()) {
      outcome.error =
          fmt::format("the compiler failed without a word (status {})", result.exit_code);
    }
  }
}

std::string to_json(const BuildOutcome& outcome) {
  return nlohmann::json{{"ok", outcome.ok},
                        {"error", outcome.error},
                        {"full_log", outcome.full_log},
                        {"refused", outcome.refused},
                        {"timed_out", outcome.timed_out},
                        {"seconds", outcome.seconds}}
      .dump(1, ' ', false, nlohmann::json::error_handler_t::replace);
}

BuildOutcome build_outcome_from_json(const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  BuildOutcome outcome;
  outcome.ok = json.at("ok");
  outcome.error = json.at("error");
  outcome.full_log = json.at("full_log");
  outcome.refused = json.at("refused");
  outcome.timed_out = json.at("timed_out");
  outcome.seconds = json.at("seconds");
  return outcome;
}

}  // namespace grader
