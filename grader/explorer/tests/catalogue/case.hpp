// A catalogue of concurrency bugs, each with its right twin: what the explorer must find, and what
// it must leave alone. The same sources are built plain and with ThreadSanitizer for comparison.
#pragma once

#include <string_view>
#include <vector>

namespace catalogue {

enum class Version { flawed, right };

struct Case {
  std::string_view name;
  std::string_view flaw;  // what is wrong, and when it bites
  void (*flawed)();
  void (*right)();
};

// In the order of the files; filled in before main.
std::vector<Case>& cases();

struct Entry {
  Entry(std::string_view name, std::string_view flaw, void (*flawed)(), void (*right)()) {
    cases().push_back({name, flaw, flawed, right});
  }
};

// Each main has its own: the explorer ends the schedule, a stress loop the process.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace catalogue

#define CHECK(condition) \
  ((condition) ? void() : ::catalogue::check_failed(#condition, __FILE__, __LINE__))

// Registers `template <Version> void name()` in both versions.
#define CATALOGUE_CASE(name, flaw)                                                        \
  const ::catalogue::Entry name##_entry(#name, flaw, &name<::catalogue::Version::flawed>, \
                                        &name<::catalogue::Version::right>)
