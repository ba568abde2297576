// The ledger as text: one JSON object per line, each naming the hash of the line before it.
// Reading and judging it is pure; ledger.hpp does the files.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace grader {

// What is worth writing down.
enum class Event {
  hint,      // number: which one was shown
  solution,  // the reference was unfolded
  version,   // number: the version's; hash: its token hash
  passed,    // the task passed for the first time; hash: the header's token hash
  rejected,  // the suite failed it; number and hash: as the version's
  third,     // the own test qualified; hash: the header's token hash
};

struct Entry {
  std::string at;  // UTC, "2025-05-17T09:30:12Z"
  Event event = Event::hint;
  int task = 0;
  int number = 0;
  std::string hash;
  bool trusted = true;  // false: the line, or what stood before it, was changed by hand
};

// What a ledger's text says.
struct LedgerText {
  std::vector<Entry> entries;
  std::vector<std::size_t> changed_lines;  // from 1: edited, out of order, or after a lost line
  std::size_t whole = 0;                   // bytes up to the end of the last whole line
  std::string torn;                        // what follows it: a line nobody finished writing
  std::string last_hash;                   // what the next line must name
};

// Never fails: a line that is no entry is listed in changed_lines.
LedgerText parse_ledger(std::string_view text);

// The line for `entry`, with its line break. `previous` is last_hash of the text before it.
std::string ledger_line(const Entry& entry, const std::string& previous);

struct SavedVersion {
  int number = 0;
  std::string hash;
  bool rejected = false;  // by the suite, in some grading
};

// What the ledger says about one task. Opening help always counts; having passed counts only from
// trusted lines.
struct TaskHistory {
  int hints_opened = 0;  // the highest number shown
  bool reference_opened = false;
  bool passed = false;                      // at some time
  bool hint_first = false;                  // a hint was opened before the first pass
  bool reference_first = false;             // the reference was unfolded before the first pass
  bool qualified_before_reference = false;  // the own test, before the reference was unfolded
  std::vector<SavedVersion> versions;
};

TaskHistory history(const std::vector<Entry>& entries, int task);

}  // namespace grader
