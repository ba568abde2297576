#include "story/names.hpp"

#include <array>
#include <regex>
#include <string_view>

namespace explorer {
namespace {

struct LibraryPart {
  std::string_view function;  // part of a frame's function
  std::string_view what;
  Belongs belongs;
};

// The first that occurs in a frame between the operation and the learner's line.
constexpr std::array<LibraryPart, 18> library_parts{{
    {"_Sp_counted", "the count of a shared_ptr", Belongs::library},
    {"__shared_count", "the count of a shared_ptr", Belongs::library},
    {"__weak_count", "the count of a shared_ptr", Belongs::library},
    {"_Sp_atomic", "an atomic shared_ptr", Belongs::library},
    {"__exchange_and_add", "the count of a shared_ptr", Belongs::library},
    {"testing::", "", Belongs::invisible},
    {"futures::detail::SpawnCount", "", Belongs::invisible},
    {"futures::detail::SpawnRegistry", "", Belongs::invisible},
    {"_M_remove_callback", "the end of a stop callback that is running", Belongs::library},
    {"_Stop_state_t", "the stop state", Belongs::library},
    {"std::latch", "a latch", Belongs::learner},
    {"std::barrier", "a barrier", Belongs::learner},
    {"std::__tree_barrier", "a barrier", Belongs::learner},
    {"__atomic_semaphore", "a semaphore", Belongs::learner},
    {"__platform_semaphore", "a semaphore", Belongs::learner},
    {"std::__future_base", "a future's state", Belongs::learner},
    {"__atomic_futex", "a future's state", Belongs::learner},
    {"__waiter_pool", "the library's table of waiters", Belongs::library},
}};

std::string last_match(const std::string& line, const std::regex& pattern) {
  std::smatch match;
  if (!std::regex_search(line, match, pattern)) return {};
  std::string name = match[1];
  for (std::string_view prefix : {"this->", "*", "&"})
    if (name.starts_with(prefix)) name.erase(0, prefix.size());
  return name;
}

}  // namespace

Ownership ownership_of(const std::vector<const Frame*>& frames, const Frame* learner) {
  for (const LibraryPart& part : library_parts)
    for (const Frame* frame : frames) {
      if (frame == learner) break;
      if (frame->function.find(part.function) != std::string::npos)
        return {part.belongs, std::string(part.what)};
    }
  return {};
}

bool inside_condition_variable_any(const std::vector<const Frame*>& frames, const Frame* learner) {
  for (const Frame* frame : frames) {
    if (frame == learner) return false;
    if (frame->function.find("condition_variable_any") != std::string::npos) return true;
  }
  return false;
}

std::string name_in_line(ObjectKind kind, const std::string& line) {
  static const std::regex guard(
      R"((?:lock_guard|unique_lock|scoped_lock|shared_lock)\b[^({]*[({]\s*([A-Za-z_*&][\w.]*(?:->[\w.]+)*)(?!\s*[\w.\->]*\s*\?))");
  static const std::regex lock_call(
      R"(([A-Za-z_][\w\]\[]*(?:(?:\.|->)[A-Za-z_]\w*)*?)(?:\.|->)(?:try_)?(?:un)?lock\w*\()");
  static const std::regex condition_call(
      R"(([A-Za-z_][\w\]\[]*(?:(?:\.|->)[A-Za-z_]\w*)*?)(?:\.|->)(?:wait|notify)\w*\()");
  static const std::regex atomic_call(
      R"(([A-Za-z_][\w\]\[]*(?:(?:\.|->)[A-Za-z_]\w*)*?)(?:\.|->)(?:load|store|exchange|compare_exchange\w*|fetch_\w+|wait|notify_\w+|test_and_set|clear|test)\()");
  static const std::regex only_atomic(
      R"(^\s*(?:\+\+|--)?\s*([A-Za-z_][\w.]*)\s*(?:=|\+=|-=|\+\+|--|;))");
  switch (kind) {
    case ObjectKind::mutex:
    case ObjectKind::rwlock: {
      std::string name = last_match(line, guard);
      return name.empty() ? last_match(line, lock_call) : name;
    }
    case ObjectKind::condition:
      return last_match(line, condition_call);
    case ObjectKind::atomic: {
      std::string name = last_match(line, atomic_call);
      return name.empty() ? last_match(line, only_atomic) : name;
    }
    default:
      return {};
  }
}

std::string made_up_name(ObjectKind kind, int number) {
  std::string letter(1, static_cast<char>('A' + number % 26));
  if (number >= 26) letter += std::to_string(number / 26);
  switch (kind) {
    case ObjectKind::mutex:
      return "mutex " + letter;
    case ObjectKind::condition:
      return "condition " + letter;
    case ObjectKind::rwlock:
      return "shared mutex " + letter;
    case ObjectKind::once:
      return "once-flag " + letter;
    case ObjectKind::atomic:
      return "atomic " + letter;
    case ObjectKind::semaphore:
      return "semaphore " + letter;
    default:
      return "object " + letter;
  }
}

}  // namespace explorer
