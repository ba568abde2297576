#include "testing/stacks_text.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace workbook::stacks {

namespace {

constexpr std::size_t most_frames = 15;

// Whose code a frame is in, most interesting first.
enum class Owner { task, test, runtime, kit, system };

Owner owner_of(const Symbol& symbol) {
  const std::string_view file = symbol.file;
  const auto has = [&](std::string_view part) { return file.find(part) != std::string_view::npos; };
  const bool written_by_someone_here = symbol.line > 0 && has("/");
  if (!written_by_someone_here || has("/usr/") || has("/lib/") || has("compiler-rt"))
    return Owner::system;
  if (has("/testing/") && !has("/testing/tests/")) return Owner::kit;
  if (has("/runtime/") && !has("/runtime/tests/")) return Owner::runtime;
  return file.ends_with(".cpp") ? Owner::test : Owner::task;
}

// The last folder and the name: "04_promise/promise.hpp".
std::string short_file(const std::string& file) {
  const auto name = file.rfind('/');
  if (name == std::string::npos || name == 0) return file;
  const auto folder = file.rfind('/', name - 1);
  return file.substr(folder == std::string::npos ? 0 : folder + 1);
}

// What the innermost library functions say about what the thread is doing.
std::string_view activity(const std::vector<Symbol>& frames) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 15> known{{
      {"pthread_cond_", "waiting on a condition variable"},
      {"pthread_mutex_", "waiting for a mutex"},
      {"pthread_rwlock_", "waiting for a shared mutex"},
      {"clockjoin", "joining a thread"},
      {"pthread_join", "joining a thread"},
      {"std::thread::join", "joining a thread"},
      {"platform_wait", "waiting on an atomic"},
      {"sem_", "waiting on a semaphore"},
      {"nanosleep", "sleeping"},
      {"sched_yield", "spinning"},
      {"flock", "waiting for a file's lock"},
      {"recv", "waiting for a socket"},
      {"accept", "waiting for a connection"},
      {"waitpid", "waiting for a process"},
  }};
  for (const auto& frame : frames) {
    if (owner_of(frame) != Owner::system) break;
    for (const auto& [part, words] : known) {
      if (frame.function.find(part) != std::string::npos) return words;
    }
  }
  return {};
}

struct Told {
  std::vector<Symbol> frames;  // those worth telling, innermost first
  std::string doing;
  bool main_thread = false;
  bool reacted = true;
  std::size_t count = 1;

  Owner best() const {
    Owner owner = Owner::system;
    for (const auto& frame : frames) owner = std::min(owner, owner_of(frame));
    return owner;
  }
};

Told tell(const Stack& stack, const std::map<void*, std::vector<Symbol>>& symbols) {
  std::vector<Symbol> all;
  for (void* frame : stack.frames) {
    if (const auto known = symbols.find(frame); known != symbols.end()) {
      all.insert(all.end(), known->second.begin(), known->second.end());
    }
  }
  Told told;
  told.doing = activity(all);
  told.main_thread = stack.tid == ::getpid();
  told.reacted = !stack.frames.empty();
  for (const auto& frame : all) {
    if (owner_of(frame) <= Owner::runtime) told.frames.push_back(frame);
  }
  return told;
}

bool same(const Told& a, const Told& b) {
  return a.main_thread == b.main_thread && a.reacted == b.reacted && a.doing == b.doing &&
         std::ranges::equal(a.frames, b.frames, [](const Symbol& x, const Symbol& y) {
           return x.line == y.line && x.file == y.file && x.function == y.function;
         });
}

std::string headline(const Told& told) {
  std::string text = told.main_thread  ? "the test's own thread"
                     : told.count == 1 ? "a thread"
                                       : std::to_string(told.count) + " threads";
  if (!told.reacted) return text + ": no stack, it does not react";
  if (!told.doing.empty()) text += ", " + told.doing;
  if (told.frames.empty()) return text + " (outside of the code under test)";
  return text + ":";
}

std::string frame_line(const Symbol& frame) {
  std::string function = frame.function;
  if (function.size() > 120) function = function.substr(0, 117) + "...";
  return "  " + short_file(frame.file) + ":" + std::to_string(frame.line) + "  " + function + "\n";
}

}  // namespace

Report in_words(const std::vector<Stack>& stacks,
                const std::map<void*, std::vector<Symbol>>& symbols) {
  std::vector<Told> groups;
  for (const auto& stack : stacks) {
    Told told = tell(stack, symbols);
    const auto known =
        std::ranges::find_if(groups, [&](const Told& other) { return same(told, other); });
    if (known != groups.end()) {
      ++known->count;
    } else {
      groups.push_back(std::move(told));
    }
  }
  std::multimap<Owner, Told> in_order;  // equal ones stay as they were
  for (auto& told : groups) in_order.emplace(told.best(), std::move(told));
  Report report;
  for (const auto& [best, told] : in_order) {
    report.text += headline(told) + "\n";
    for (const auto& frame :
         std::span(told.frames).first(std::min(told.frames.size(), most_frames))) {
      report.text += frame_line(frame);
    }
    if (told.frames.size() > most_frames) {
      report.text += "  and " + std::to_string(told.frames.size() - most_frames) + " more\n";
    }
    for (const auto& frame : told.frames) {
      if (!report.first.file.empty()) break;
      if (owner_of(frame) != best) continue;
      report.first = {frame.function, short_file(frame.file), frame.line};
    }
  }
  return report;
}

}  // namespace workbook::stacks
