#include "own_test_copies.hpp"

#include <algorithm>
#include <iterator>
#include <random>
#include <utility>

namespace grader {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kRights = 3;
// A test that looks at what a compiler made of a version, and not at what it does, tosses a coin
// for each build. A version that it breaks is compiled anew, so often, and so are all right ones.
constexpr std::size_t kFreshCopies = 3;
constexpr Flavour kFlavours[] = {Flavour::plain, Flavour::thread};
constexpr auto kNone = static_cast<std::size_t>(-1);

// The reference and a few others: each costs a compilation, and which ones is not to be foreseen.
void choose_rights(std::vector<Version>& rights, std::uint64_t seed) {
  if (rights.size() <= kRights) return;
  std::mt19937_64 chance(seed);
  std::shuffle(rights.begin() + 1, rights.end(), chance);
  rights.resize(kRights);
}

// The version's file in a disguise that nobody has seen.
fs::path fresh_disguise(Version version, const fs::path& folder) {
  std::random_device device;
  disguise(version, folder, std::uint64_t{device()} << 32 | device());
  return version.disguised;
}

}  // namespace

OwnTestCopies::OwnTestCopies(Versions versions, fs::path folder, std::uint64_t seed,
                             ProgramOf program)
    : versions_(std::move(versions)),
      folder_(std::move(folder)),
      seed_(seed),
      program_(std::move(program)),
      fresh_of_(kNone) {
  choose_rights(versions_.rights, seed_);
}

std::size_t OwnTestCopies::suspects() const {
  return versions_.suspects.size() * std::size(kFlavours);
}

const Version& OwnTestCopies::version(std::size_t suspect) const {
  return versions_.suspects[place(suspect)];
}

std::size_t OwnTestCopies::place(std::size_t suspect) const {
  return suspect % versions_.suspects.size();
}

Flavour OwnTestCopies::flavour(std::size_t suspect) const {
  return kFlavours[suspect / versions_.suspects.size()];
}

std::vector<Program> OwnTestCopies::of_rights() {
  std::vector<Program> programs;
  for (auto& right : versions_.rights) {
    disguise(right, folder_, seed_);
    right_copies_.push_back({right.disguised});
    programs.push_back(program_(right.disguised, Flavour::plain));
  }
  return programs;
}

std::vector<Program> OwnTestCopies::of_suspects(std::size_t from, std::size_t to) {
  std::vector<Program> programs;
  for (auto suspect = from; suspect < to; ++suspect) {
    auto& version = versions_.suspects[place(suspect)];
    disguise(version, folder_, seed_);
    programs.push_back(program_(version.disguised, flavour(suspect)));
  }
  return programs;
}

std::vector<Program> OwnTestCopies::anew(std::size_t suspect) {
  fresh_of_ = suspect;
  fresh_copies_.clear();
  std::vector<Program> programs;
  for (std::size_t i = 0; i < kFreshCopies; ++i) {
    fresh_copies_.push_back({.file = fresh_disguise(version(suspect), folder_)});
    programs.push_back(program_(fresh_copies_.back().file, flavour(suspect)));
  }
  for (std::size_t i = 0; i < rights(); ++i) {
    right_copies_[i].push_back(fresh_disguise(versions_.rights[i], folder_));
    programs.push_back(program_(right_copies_[i].back(), flavour(suspect)));
  }
  return programs;
}

Program OwnTestCopies::next_of_right(std::size_t right, Flavour flavour) {
  auto& copies = right_copies_[right];
  std::ranges::rotate(copies, copies.begin() + 1);
  return program_(copies.back(), flavour);
}

Program OwnTestCopies::next_of_suspect(std::size_t suspect) {
  if (fresh_of_ != suspect) return program_(version(suspect).disguised, flavour(suspect));
  return program_(fresh_copies_[turn_++ % fresh_copies_.size()].file, flavour(suspect));
}

void OwnTestCopies::broke(const Program& program) {
  for (auto& copy : fresh_copies_) copy.broke |= copy.file == program.header;
}

bool OwnTestCopies::each_fresh_copy_broke() const {
  return std::ranges::all_of(fresh_copies_, &FreshCopy::broke);
}

}  // namespace grader
