#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "harness.hpp"
#include "model.hpp"
#include "policy.hpp"
#include "sandbox.hpp"
#include "stage.hpp"
#include "symbols.hpp"

namespace grader {

// A program's files and their name. Two programs with one key are the same program.
struct Prepared {
  Stage stage;
  std::string key;
};

// Turns a stage into a binary: checks it, compiles and links it in the sandbox, checks what came
// out, keeps it below programs/<key>. Const members, safe from several threads; two threads (or
// two graders) that build one key do the work twice and keep one result.
// What the reference's object asks for; without it: why not, when that is the machine's fault, and
// nothing when there is no reference.
struct HonestBuild {
  std::optional<Symbols> symbols;
  std::string machine;
};

class Builder {
 public:
  Builder(const Harness& harness, const Sandbox& sandbox, std::filesystem::path programs_dir);

  Prepared prepare(const Program& program, const std::vector<Task>& tasks) const;

  // The outcome of an earlier build; nullopt when there was none.
  std::optional<BuildOutcome> known(const std::string& key) const;

  // `honest` gives the symbols of an honest build of the same suite, and is asked for every plain
  // build, else only when something looks suspicious. `trusted` programs (the repository's own
  // solutions) are built without the checks.
  using Honest = std::function<HonestBuild()>;
  BuildOutcome build(const Program& program, const Prepared& prepared, bool trusted,
                     const Honest& honest, const std::stop_token& stop) const;

  // The folder with `program` in it, after a build that was ok.
  std::filesystem::path folder(const std::string& key) const { return programs_dir_ / key; }
  std::optional<Symbols> symbols(const std::string& key) const;

  // Removes the programs that were not used for longest, down to a size that a disk has room for.
  void forget_old_ones() const;

 private:
  BuildOutcome compile(const Program& program, const Prepared& prepared, bool trusted,
                       const Honest& honest, const std::stop_token& stop) const;
  std::string script(const Program& program, const Stage& stage, bool trusted) const;
  // Refuses what was built, or finds that the machine keeps it from being looked at.
  void judge_result(const Program& program, const Stage& stage, const std::filesystem::path& out,
                    const Honest& honest, BuildOutcome& outcome) const;
  std::string refuse_text(const Program& program, const Stage& stage,
                          const std::filesystem::path& out) const;
  // `sources` are kept beside the program; null: none are.
  void keep(const std::string& key, const BuildOutcome& outcome, const std::filesystem::path& out,
            const Stage* sources) const;

  const Harness& harness_;
  const Sandbox& sandbox_;
  std::filesystem::path programs_dir_;
};

}  // namespace grader
