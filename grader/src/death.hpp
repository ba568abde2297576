#pragma once

#include <string>
#include <string_view>

#include "model.hpp"
#include "process.hpp"

namespace grader {

// Exit statuses by agreement with the kit and the sanitizers' options.
inline constexpr int race_exit = 66;
inline constexpr int memory_exit = 67;
inline constexpr int hang_exit = 86;

// The options of the sanitizers for a run; `folder` has the suppressions file, as seen inside.
// `silent_races`: judge by the tests alone (the program uses fences, which ThreadSanitizer does not
// understand).
std::vector<std::string> sanitizer_environment(const std::string& folder, bool silent_races);

// Written beside every program: what ThreadSanitizer takes for races and is none.
extern const std::string_view thread_suppressions;

// The signal that ended the program, also when a box or a shell reports it as 128 + n; 0: none.
int signal_of(const ProcessResult& process);

// What became of a process that ended inside a test (or with `test` empty outside of any), from
// its last words. Sets outcome, headline, detail and adds a failure with the place when known.
void explain_death(const ProcessResult& process, std::string_view task_folder, TestResult& test);

}  // namespace grader
