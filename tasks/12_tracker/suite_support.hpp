// What the parts of task 12's suite share.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <set>
#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "future.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"
#include "tracker.hpp"

namespace tracker_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them
using namespace std::chrono_literals;
using workbook::ended;
using workbook::forever;
using workbook::show;
using workbook::Tracked;

using Here = std::source_location;

inline std::string place(const Here& where) {
  std::string file = where.file_name();
  file.erase(0, file.find_last_of('/') + 1);
  return file + ":" + std::to_string(where.line());
}

// The lines that a report blames, in its order: "suite.cpp:12 suite.cpp:13".
inline std::string places(const std::vector<LeakInfo>& report) {
  std::string text;
  for (const auto& leak : report) text += (text.empty() ? "" : " ") + place(leak.where);
  return text;
}

// A pending future with a place that tests can choose: futures "at line 7" are easy to tell apart.
template <class T = int>
struct Pending {
  explicit Pending(Tracker& tracker, Here where = Here::current())
      : Pending(tracker.make<T>(where)) {}
  explicit Pending(std::pair<Future<T>, Resolver<T>> ends)
      : future(std::move(ends.first)), resolver(std::move(ends.second)) {}

  Future<T> future;
  Resolver<T> resolver;
};

// Lets functions of go() through that wait at a gate, also when an exception ends the test early.
class OpenAtTheEnd {
 public:
  explicit OpenAtTheEnd(std::shared_ptr<workbook::Gate> gate) : gate_(std::move(gate)) {}
  OpenAtTheEnd(const OpenAtTheEnd&) = delete;
  OpenAtTheEnd& operator=(const OpenAtTheEnd&) = delete;
  ~OpenAtTheEnd() { gate_->open(); }

 private:
  std::shared_ptr<workbook::Gate> gate_;
};

// So that two futures are not made at one tick of the clock, and none is reported at the tick at
// which it was made. Sleeping is no guess here: the steady clock will be later afterwards.
inline void let_time_pass() { std::this_thread::sleep_for(1ms); }

// The report, once that has as many entries as it should have: for what go() runs, since its thread
// may not be through with settling yet when the result can be seen.
inline bool reports_eventually(const Tracker& tracker, std::size_t entries) {
  return workbook::eventually([&] { return tracker.report().size() == entries; });
}

// Whether nobody stands behind somebody younger. Equal ages may stand in either order.
inline bool oldest_first(const std::vector<LeakInfo>& report) {
  return std::ranges::is_sorted(report, std::ranges::greater(), &LeakInfo::age);
}

inline std::set<std::uint64_t> ids(const std::vector<LeakInfo>& report) {
  std::set<std::uint64_t> all;
  for (const auto& leak : report) all.insert(leak.id);
  return all;
}

}  // namespace tracker_suite
