#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <vector>

#include "model.hpp"

namespace grader {

// The machine cannot grade: no compiler, no disk, or a sandbox was required and there is none.
// what() says what is missing and what to do; the process should exit with status 3.
class MachineError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct BenchOptions {
  std::filesystem::path root;           // the checkout: tasks/, solutions/, grader/
  std::filesystem::path build_dir;      // everything the bench writes is below it
  std::filesystem::path tasks_dir;      // default root/tasks
  std::filesystem::path solutions_dir;  // default root/solutions; references come from here
  std::filesystem::path kit_dir;        // has runtime/ and testing/; default root/tasks
  unsigned jobs = 0;                    // 0: as many as there are processors
  bool require_sandbox = false;
  std::function<void(const std::string&)> notice;  // said once each, from any thread
};

// Builds and runs submitted code in a sandbox and reports what was observed. It never decides a
// score. All members may be called from several threads at once. Stopping through the token kills
// what runs; outcomes are then marked inconclusive ("interrupted") and nothing is cached.
class Bench {
 public:
  // Cheap: finds the compiler and the sandbox. Throws MachineError.
  explicit Bench(BenchOptions options);
  ~Bench();
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  // Builds all programs, in the given order as far as cores allow. on_ready is called once per
  // program as soon as it is built (or is not going to be), one call at a time, from any thread.
  // A program whose `unwanted` is stopped before it is built is reported as abandoned. Throws
  // MachineError when nothing more can be built, maybe after some programs have been reported.
  std::vector<BuildOutcome> build(std::span<const Program> programs,
                                  std::function<void(std::size_t, const BuildOutcome&)> on_ready,
                                  std::stop_token stop);

  // Runs a program that build() made (builds it first when it is not there; a failed build is
  // RunOutcome::problem). One call uses one thread plus the program's own.
  RunOutcome run(const Program& program, const RunOptions& options, std::stop_token stop);

  // The tests a source has, from a build against the reference header (solutions/); for the
  // explored flavour only suite Explored, without it in the order of the file. Cached by content.
  // Falls back to reading the source's TEST macros when there is no reference.
  std::vector<std::string> expected_tests(const Task& task, const std::filesystem::path& source,
                                          Flavour flavour);

  // The programs whose verdict a change of these files could alter have other keys.
  std::string key(const Program& program) const;

  bool sandboxed() const;         // false: runs without one (a notice was given)
  std::string toolchain() const;  // "clang 19.1.7, mold" for reports
  bool explorer_available() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace grader
