#include "runner.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <sys/socket.h>

#include "death.hpp"
#include "files.hpp"
#include "machine.hpp"
#include "source_lines.hpp"

namespace grader {
namespace fs = std::filesystem;
namespace {

constexpr int most_deaths = 3;
constexpr int most_machine_troubles = 2;
constexpr int channel_number = 700;  // above what a test opens, below the limit of open files
constexpr std::string_view ran_too_long = "has been running for";  // the kit's watchdog says so
constexpr unsigned least_test_seconds = 15;
constexpr unsigned least_sanitized_test_seconds = 20;
constexpr double most_crowding = 4;  // beyond that the machine has to be asked again later
constexpr unsigned most_threads = 16384;
constexpr unsigned most_threads_and_processes = 4096;  // so many processes still leave us a turn
constexpr unsigned most_wanted_threads = 2048;  // whoever has more has taken the room himself

// A program that had this part of one processor, or left this part of the machine unused, was not
// kept from running.
constexpr double fair_share = 0.3;

bool is_memory_flavour(Flavour flavour) {
  return flavour == Flavour::thread || flavour == Flavour::address;
}

// Ten digits and so many bytes. Never waits for the program: it asked, so it reads.
void answer(const UniqueFd& channel, const std::string& text) {
  const auto reply = fmt::format("{:010}{}", text.size(), text);
  [[maybe_unused]] const auto sent =
      ::send(channel.get(), reply.data(), reply.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace

Runner::Runner(const Sandbox& sandbox, RunPlan plan, std::stop_token stop)
    : sandbox_(sandbox),
      plan_(std::move(plan)),
      stop_(std::move(stop)),
      crowding_(std::clamp(crowding(), 1.0, most_crowding)) {
  order_ = wanted_tests();
}

std::string own_server(const Task& task) {
  const char* url = std::getenv("REDIS_URL");
  const bool wanted =
      url != nullptr && std::ranges::find(task.services, "redis") != task.services.end();
  return wanted ? url : "";
}

std::vector<std::string> Runner::wanted_tests() const {
  std::vector<std::string> tests;
  for (const auto& test : plan_.options.expected) {
    const bool explored = test.starts_with("Explored.");
    if (plan_.flavour == Flavour::explored && !explored) continue;
    if (matches_filter(test, plan_.options.filter)) tests.push_back(test);
  }
  return tests;
}

Box Runner::box() const {
  Box box = sandbox_.box_around(plan_.folder);
  if (std::ranges::find(plan_.task->services, "postgres") != plan_.task->services.end()) {
    // A private cluster takes 39 MB when it is made, and each segment of its log 16.
    box.mounts.push_back({plan_.folder / "passwd", "/etc/passwd", false});
    box.tmp_bytes = 512 << 20;
  }
  box.environment = sanitizer_environment(box.directory.string(),
                                          plan_.uses_fences && plan_.flavour == Flavour::thread);
  box.environment.push_back(fmt::format("WORKBOOK_CHANNEL={}", channel_number));
  box.environment.push_back(fmt::format("WORKBOOK_SEED={}", plan_.options.seed));
  box.environment.push_back(fmt::format("WORKBOOK_TEST_SECONDS={}", test_seconds()));
  box.cpu_seconds = std::max(box.cpu_seconds, 6 * test_seconds());
  // Sanitizers start a program that knows the names of functions, the explorer one child for each
  // schedule; nobody else but some tests needs other processes.
  box.processes = plan_.processes || plan_.flavour != Flavour::plain;
  box.threads = box.processes ? most_threads_and_processes : most_threads;
  if (const auto url = own_server(*plan_.task); !url.empty()) {
    constexpr std::string_view unix_scheme = "unix://";
    box.environment.push_back("REDIS_URL=" + url);
    box.network = !url.starts_with(unix_scheme);
    const fs::path socket = box.network ? "" : url.substr(unix_scheme.size());
    if (fs::exists(socket)) box.mounts.push_back({socket, socket, false});
  }
  return box;
}

unsigned Runner::test_seconds() const {
  if (plan_.test_seconds != 0) return plan_.test_seconds;
  const bool plain = plan_.flavour == Flavour::plain;
  const auto usual = plain ? least_test_seconds : least_sanitized_test_seconds;
  const auto asked = plan_.options.test_seconds;
  return static_cast<unsigned>((asked != 0 ? asked : usual) * crowding_);
}

OuterLimits Runner::limits() const {
  using namespace std::chrono_literals;
  OuterLimits limits;
  const std::chrono::seconds test(test_seconds());
  limits.wall = std::max(120s, 6 * test) +
                std::chrono::seconds(static_cast<long>(plan_.options.explore_seconds));
  limits.memory_bytes =
      is_memory_flavour(plan_.flavour) ? std::uint64_t{4} << 30 : std::uint64_t{2} << 30;
  limits.processes = 256;
  limits.output_bytes = 8 << 20;
  limits.stuck = 45s;
  limits.stopped = 5s;
  limits.silent = test;
  return limits;
}

std::vector<std::string> Runner::arguments(const std::vector<std::string>& tests) const {
  std::vector<std::string> argv = {(sandbox_.seen(plan_.folder, "/box") / "program").string()};
  const std::string filter =
      tests.empty() ? plan_.options.filter : fmt::format("{}", fmt::join(tests, ":"));
  if (!filter.empty()) argv.push_back("--gtest_filter=" + filter);
  if (plan_.flavour != Flavour::explored) return argv;
  const auto& explore = plan_.task->explore;
  const double seconds =
      plan_.options.explore_seconds > 0 ? plan_.options.explore_seconds : explore.seconds;
  argv.push_back(fmt::format("--explore_seconds={}", seconds));
  argv.push_back(fmt::format("--explore_bound={}", explore.bound));
  argv.push_back(fmt::format("--explore_seed={}", plan_.options.seed));
  if (plan_.options.explore_schedules > 0) {
    argv.push_back(fmt::format("--explore_schedules={}", plan_.options.explore_schedules));
  }
  if (plan_.options.observe) argv.emplace_back("--explore_observe");
  if (!plan_.options.replay_token.empty()) {
    argv.push_back("--replay=" + plan_.options.replay_token);
  }
  return argv;
}

Runner::Launch Runner::launch(const std::vector<std::string>& tests) const {
  const auto nonce = new_nonce();
  Launch launch{ChannelLog(nonce, tests), {}, false};
  auto channel = make_channel_ends(channel_number);
  if (!channel.ours || !write_line(channel.ours, nonce)) {
    launch.process.trouble = "no socket for the results";
    return launch;
  }
  std::stop_source enough;
  const std::stop_callback interrupted(stop_, [&enough] { enough.request_stop(); });
  channel.on_bytes = [&](std::string_view bytes) {
    launch.log.add(bytes);
    if (const auto addresses = launch.log.take_look_up()) {
      answer(channel.ours, source_lines(sandbox_, plan_.folder, *addresses, stop_));
    }
    if (plan_.options.stop_at_failure && launch.log.has_failure()) enough.request_stop();
  };
  const auto kills = out_of_memory_kills();
  launch.process = run_process(sandbox_.command(box(), arguments(tests)), limits(), &channel,
                               enough.get_token());
  launch.killed_from_outside = out_of_memory_kills() != kills;
  return launch;
}

// Only what the program cannot bring about by itself: then the run is repeated and, when it happens
// again, says nothing about the program.
std::string Runner::machine_trouble(const Launch& launch) const {
  const auto& process = launch.process;
  if (process.ending == Ending::interrupted) return "interrupted";
  if (process.ending == Ending::not_started) {
    return fmt::format("the program could not be started: {}", process.trouble);
  }
  if (const auto why = Sandbox::trouble(process); !launch.log.began() && !why.empty()) {
    return fmt::format("the sandbox could not be set up: {}", why);
  }
  // Unless the program had what it needed: then it is the program that does not end.
  const bool starved =
      process.cpu_seconds < fair_share * process.seconds && process.idle_share < fair_share;
  if (process.ending == Ending::out_of_time && starved) {
    return "the machine was too busy to finish this run";
  }
  const bool modest = process.peak_threads < most_wanted_threads;
  // The kit says so, with the nonce. What its exit status is then says nothing: anybody can end
  // with that.
  if (!launch.log.inconclusive().empty() && modest) return launch.log.inconclusive();
  const bool ours = process.ending != Ending::exited;
  if (!ours && signal_of(process) == SIGKILL && launch.killed_from_outside) {
    return "the machine ran out of memory and killed the program";
  }
  if (!ours && !launch.log.done() && modest && !process.room_for_threads &&
      process.err.contains("Resource temporarily unavailable")) {
    return "the machine has no room for more threads";
  }
  return "";
}

TestResult& Runner::result_of(const std::string& name) {
  auto& result = results_[name];
  result.name = name;
  return result;
}

void Runner::take_results(Launch& launch) {
  if (order_.empty()) {
    for (const auto& name : launch.log.announced()) {
      if (matches_filter(name, plan_.options.filter)) order_.push_back(name);
    }
  }
  for (auto& [name, seen] : launch.log.tests()) {
    if (!seen.ended) continue;
    auto& result = result_of(name) = std::move(seen.result);
    if (result.outcome != Outcome::not_run) continue;
    // A test that left itself out. The explorer does so with what it has no model for: that is no
    // fault of the program, and the other flavours judge it.
    const bool explored = plan_.flavour == Flavour::explored;
    result.outcome = explored ? Outcome::passed : Outcome::inconclusive;
    if (explored) outcome_.notice = fmt::format("{}: {}", name, result.verdict);
  }
}

// The process is gone and its last test has not ended, or has just.
void Runner::judge_death(Launch& launch) {
  auto& log = launch.log;
  const std::string name = log.current().empty() ? log.last() : log.current();
  if (!log.began() || name.empty() || name == ChannelLog::canary) {
    TestResult all;
    explain_death(launch.process, plan_.task->folder, all);
    const bool silent = launch.process.ending == Ending::exited && signal_of(launch.process) == 0;
    outcome_.problem = silent ? fmt::format("the program ended before its first test (exit {})",
                                            launch.process.exit_code)
                              : fmt::format("before the first test: {}", all.headline);
    if (all.outcome != Outcome::crashed || outcome_.output.empty()) outcome_.output += all.detail;
    return;
  }
  auto& test = result_of(name);
  const bool after_its_end = log.current().empty();
  if (!after_its_end) test = std::move(log.tests()[name].result);
  test.name = name;
  explain_death(launch.process, plan_.task->folder, test);
  if (after_its_end) test.headline = "after the test had ended: " + test.headline;
}

// All tests ended; the process must too, and in peace. A failed canary makes its status 1.
void Runner::judge_exit(const Launch& launch) {
  const auto& process = launch.process;
  const bool peaceful = process.ending == Ending::exited && signal_of(process) == 0 &&
                        (process.exit_code == 0 || process.exit_code == 1) &&
                        launch.log.at_end().failures.empty();
  if (peaceful) return;
  constexpr auto name = "Process.EndsCleanlyAfterTheLastTest";
  results_[name] = launch.log.at_end();
  auto& result = result_of(name);
  explain_death(process, plan_.task->folder, result);
  if (result.outcome == Outcome::crashed && process.ending == Ending::exited &&
      signal_of(process) == 0) {
    result.headline = fmt::format("the program ended with status {}", process.exit_code);
  }
}

std::vector<std::string> Runner::left_over() const {
  std::vector<std::string> tests;
  for (const auto& name : order_) {
    if (!results_.contains(name)) tests.push_back(name);
  }
  return tests;
}

RunOutcome Runner::run() {
  const auto start = std::chrono::steady_clock::now();
  if (!plan_.options.expected.empty() && order_.empty()) return finish();  // nothing to run
  int deaths = 0;
  int troubles = 0;
  while (true) {
    auto current = launch(left_over());
    outcome_.output = current.process.out + current.process.err;
    if (!current.log.forgery().empty()) {
      outcome_.problem = "tampered: " + current.log.forgery();
      break;
    }
    if (plan_.options.stop_at_failure && current.log.has_failure()) {
      take_results(current);
      break;
    }
    if (const auto trouble = machine_trouble(current); !trouble.empty()) {
      take_results(current);
      const bool again = trouble != "interrupted" && ++troubles < most_machine_troubles;
      if (again && (order_.empty() || !left_over().empty())) continue;
      outcome_.machine = trouble;
      break;
    }
    take_results(current);
    if (current.log.hang().contains(ran_too_long)) outcome_.too_slow = true;
    if (current.log.done()) {
      judge_exit(current);
      break;
    }
    judge_death(current);
    // Waiting for the next test that does not end would tell nothing new.
    const bool more = !plan_.options.stop_at_failure && outcome_.problem.empty() &&
                      !outcome_.too_slow && ++deaths < most_deaths && !left_over().empty();
    if (!more) break;
  }
  outcome_.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return finish();
}

RunOutcome Runner::finish() {
  const bool tampered = outcome_.problem.starts_with("tampered");
  const bool died = !outcome_.problem.empty() || std::ranges::any_of(results_, [this](auto& r) {
    const auto outcome = r.second.outcome;
    return outcome == Outcome::crashed || outcome == Outcome::hung || outcome == Outcome::raced ||
           outcome == Outcome::sanitizer ||
           (outcome == Outcome::failed && plan_.options.stop_at_failure);
  });
  for (const auto& name : order_) {
    const bool known = results_.contains(name);
    auto& result = result_of(name);
    if (tampered) {
      result.outcome = Outcome::tampered;
      result.headline = outcome_.problem;
    } else if (!known && !outcome_.machine.empty()) {
      result.outcome = Outcome::inconclusive;
      result.headline = outcome_.machine;
    } else if (!known) {
      // After a run that came to its end it should have been there.
      result.outcome = died ? Outcome::not_run : Outcome::missing;
      result.headline = died ? "not reached" : "this test never ran";
    }
    outcome_.tests.push_back(std::move(result));
    results_.erase(name);
  }
  for (auto& [name, result] : results_) outcome_.tests.push_back(std::move(result));
  if (plan_.flavour == Flavour::explored) judge_the_unexplored();
  if (plan_.uses_fences && plan_.flavour == Flavour::thread) {
    outcome_.notice =
        "the header uses atomic_thread_fence, which ThreadSanitizer does not "
        "understand: races are left to the explorer";
  }
  return std::move(outcome_);
}

// What the explorer can't follow is left to ThreadSanitizer and to real threads. Not what was
// brought about by a call that is of no other use, and not where ThreadSanitizer is silent.
void Runner::judge_the_unexplored() {
  constexpr std::string_view unknown = "it makes the futex system call itself, command";
  for (auto& test : outcome_.tests) {
    const bool unexplored = test.verdict.starts_with("cannot be explored");
    if (!unexplored || test.outcome == Outcome::tampered) continue;
    if (test.verdict.contains(unknown)) {
      test.headline = test.verdict + ": only waiting and waking can be followed";
    } else if (plan_.uses_fences) {
      test.headline = test.verdict +
                      "; and ThreadSanitizer does not understand atomic_thread_fence: nobody could "
                      "tell whether there is a race";
    } else {
      continue;
    }
    test.outcome = Outcome::failed;
  }
}

std::vector<std::string> Runner::list_tests(const Sandbox& sandbox, const fs::path& folder,
                                            const std::stop_token& stop) {
  const Box box = sandbox.box_around(folder);
  const auto program = (box.directory / "program").string();
  const OuterLimits limits{.wall = std::chrono::seconds(60), .output_bytes = 4 << 20};
  const auto result =
      run_process(sandbox.command(box, {program, "--gtest_list_tests"}), limits, nullptr, stop);
  if (result.ending != Ending::exited || result.exit_code != 0) return {};
  return parse_test_list(result.out);
}

}  // namespace grader
