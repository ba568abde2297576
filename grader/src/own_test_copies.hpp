// The programs in which an own test meets the versions: each in a disguise, and in fresh ones once
// the runs of a suspect count.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "model.hpp"
#include "own_test_versions.hpp"

namespace grader {

// A suspect is a flawed version in one flavour; numbered flavour by flavour, the versions in the
// order of `versions.suspects`. Builds nothing. Not for several threads.
class OwnTestCopies {
 public:
  using ProgramOf = std::function<Program(const std::filesystem::path& header, Flavour flavour)>;

  // Disguises are written below `folder`; the first ones follow from `seed`.
  OwnTestCopies(Versions versions, std::filesystem::path folder, std::uint64_t seed,
                ProgramOf program);

  std::size_t rights() const { return versions_.rights.size(); }
  std::size_t suspects() const;
  const Version& right(std::size_t right) const { return versions_.rights[right]; }
  const Version& version(std::size_t suspect) const;
  std::size_t place(std::size_t suspect) const;  // of its version in its flavour, from 0
  Flavour flavour(std::size_t suspect) const;

  // To be built before they are played.
  std::vector<Program> of_rights();
  std::vector<Program> of_suspects(std::size_t from, std::size_t to);

  // Fresh disguises of the suspect, which take the place of its first one, and one more of each
  // right version: what a test saw in those that it knows is not there again unless it is what the
  // version does.
  std::vector<Program> anew(std::size_t suspect);

  // The copies in turn.
  Program next_of_right(std::size_t right, Flavour flavour);
  Program next_of_suspect(std::size_t suspect);

  void broke(const Program& program);  // one that next_of_suspect() gave
  bool each_fresh_copy_broke() const;

 private:
  struct FreshCopy {
    std::filesystem::path file;
    bool broke = false;
  };

  Versions versions_;
  std::filesystem::path folder_;
  std::uint64_t seed_;
  ProgramOf program_;
  std::vector<std::vector<std::filesystem::path>> right_copies_;  // of each right version
  std::size_t fresh_of_;                                          // the suspect with fresh copies
  std::vector<FreshCopy> fresh_copies_;
  std::size_t turn_ = 0;
};

}  // namespace grader
