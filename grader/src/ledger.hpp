// The ledger of a submission: which help was opened, which versions were kept, what passed.
// It lies inside the submission (.workbook/), so that CI sees what the learner's machine saw.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ledger_entry.hpp"

namespace grader {

// Survives what happens to files on learners' machines: the process killed at any moment, two
// gradings at once, a full disk, a read-only checkout. Each line is written in one piece and
// synced before add() returns; a line that was torn is put aside, never the ones before it.
// Follows no symbolic link. Not for several threads; several processes are fine.
class Ledger {
 public:
  // Reads what is there and creates nothing. Never throws for the state of the files.
  explicit Ledger(std::filesystem::path submission);

  const std::vector<Entry>& entries() const { return text_.entries; }
  TaskHistory of(int task) const { return history(text_.entries, task); }

  // Lines changed by hand, from 1; empty is how it should be.
  const std::vector<std::size_t>& changed_lines() const { return text_.changed_lines; }

  // Appends one line. False: it could not be written, and notices() says why.
  bool add(Event event, int task, int number = 0, const std::string& hash = {});

  // Keeps `source` as a version of the task's header, unless one with the same tokens is kept
  // already or it can't be written. True: it is kept now, or was before.
  bool keep_version(int task, const std::string& folder, std::string_view source,
                    const std::string& token_hash);

  // Writes down, once, that the suite failed the kept version of these tokens.
  void reject_version(int task, const std::string& token_hash);

  // Where a kept version lies: the file is there, is regular, and has the tokens that the ledger
  // says; otherwise nothing.
  std::optional<std::filesystem::path> version_file(const std::string& folder,
                                                    const SavedVersion& version) const;

  // What the learner should know about the ledger itself, each thing once.
  const std::vector<std::string>& notices() const { return notices_; }

 private:
  class Session;
  void notice(std::string text);

  std::filesystem::path submission_;
  LedgerText text_;
  std::vector<std::string> notices_;
};

}  // namespace grader
