// What the tests of task 6 share.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"

namespace lazy_suite {

// Too long for the small-string buffer: a copy that is torn, moved-from or freed shows.
inline const std::string long_text = "worth computing once, and long enough to live on the heap";

// A value that cannot be made out of thin air.
struct Report {
  explicit Report(std::string t) : text(std::move(t)) {}
  std::string text;
};

// An object, so that no overload in a header under test stands in for it.
inline constexpr auto is_the_report = [](const futures::Result<Report>& result) -> bool {
  return result.has_value() && result->text == long_text;
};

inline constexpr auto code_of = []<class T>(const futures::Result<T>& result) -> std::error_code {
  return result ? std::error_code() : result.error().code;
};

inline std::string show(const Report& report) { return '"' + report.text + '"'; }
inline std::string show(int value) { return std::to_string(value); }

inline constexpr auto describe = []<class T>(const futures::Result<T>& result) -> std::string {
  if (result) return "the value " + show(*result);
  return "the error " + result.error().code.message() + " (" + result.error().message + ')';
};

// A LazyT whose fn takes as long as the test wants and does not care about its context.
template <class LazyT>
struct Busy {
  Busy() = default;
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;
  // Before the members go: a LazyT may wait for fn in its destructor.
  ~Busy() { may_end->open(); }

  // Shared with fn, which may still be running when the test is over.
  std::shared_ptr<std::atomic<int>> runs = std::make_shared<std::atomic<int>>(0);
  std::shared_ptr<workbook::Gate> entered = std::make_shared<workbook::Gate>();
  std::shared_ptr<workbook::Gate> may_end = std::make_shared<workbook::Gate>();
  std::shared_ptr<workbook::Gate> ended = std::make_shared<workbook::Gate>();
  std::unique_ptr<LazyT> lazy = std::make_unique<LazyT>(
      [runs = runs, entered = entered, may_end = may_end, ended = ended,
       tracked = workbook::Tracked()](const futures::Context& ctx) -> futures::Result<Report> {
        ++*runs;
        entered->open();
        may_end->wait();
        static_cast<void>(ctx.done());  // whoever asked may be long gone: the context may not
        ended->open();
        return Report(long_text);
      });
};

}  // namespace lazy_suite
