// Properties: a claim about all inputs, tried on a hundred random ones.
//
//   workbook::property("the sum does not depend on the order", [](std::vector<int> numbers) {
//     RC_ASSERT(sum(numbers) == sum(reversed(numbers)));
//   });
//
// A header of its own, because RapidCheck takes seconds to compile. Link with -lrapidcheck.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <exception>
#include <functional>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "failures.hpp"
#include "flavour.hpp"
#include "report.hpp"

namespace workbook {

namespace detail {

// RapidCheck's own listener prints the configuration and the progress.
class SilentListener : public rc::detail::TestListener {
 public:
  void onTestCaseFinished(const rc::detail::CaseDescription&) override {}
  void onShrinkTried(const rc::detail::CaseDescription&, bool) override {}
  void onTestFinished(const rc::detail::TestMetadata&, const rc::detail::TestResult&) override {}
};

// The cases of one property: counts them, and makes failed expectations and unwritten functions
// look to RapidCheck like what they are.
class Cases {
 public:
  template <class Call>
  void run(Call&& call) {
    if (!unwritten_.empty()) return;
    report::property_cases.fetch_add(1, std::memory_order_relaxed);
    auto& kept = KeptFailures::instance();
    const int before = failures_so_far();
    kept.start();
    try {
      std::forward<Call>(call)();
    } catch (const std::exception& e) {
      kept.stop();
      if (!std::string_view(e.what()).starts_with("not implemented yet")) throw;
      unwritten_ = e.what();
    } catch (...) {
      kept.stop();
      throw;
    }
    kept.stop();
    std::string messages;
    for (const auto& message : kept.take()) {
      if (message.starts_with("not implemented yet")) unwritten_ = message;
      messages += message + "\n";
    }
    if (unwritten_.empty() && failures_so_far() > before) {
      if (messages.empty()) messages = "an expectation did not hold";
      throw rc::detail::CaseResult(rc::detail::CaseResult::Type::Failure, messages);
    }
  }

  // What an unwritten function said, empty when there was none.
  const std::string& unwritten() const { return unwritten_; }

 private:
  std::string unwritten_;
};

// RapidCheck reads the types of the arguments from the function: keep them while wrapping it.
template <class R, class... Args, class Testable>
auto counted_call(Testable& testable, Cases& cases) {
  return [&testable, &cases](Args... args) {
    cases.run([&] {
      if constexpr (std::is_same_v<R, bool>) {
        RC_ASSERT(testable(std::move(args)...));
      } else {
        testable(std::move(args)...);
      }
    });
  };
}

template <class Testable, class R, class... Args>
auto counted(Testable& testable, Cases& cases, R (Testable::*)(Args...) const) {
  return counted_call<R, Args...>(testable, cases);
}

template <class Testable, class R, class... Args>
auto counted(Testable& testable, Cases& cases, R (Testable::*)(Args...)) {
  return counted_call<R, Args...>(testable, cases);
}

inline rc::detail::Configuration property_configuration(std::string_view claim) {
  rc::detail::Configuration configuration;
  configuration.testParams.seed = report::seed.load(std::memory_order_relaxed) * 1'000'003u +
                                  std::hash<std::string_view>()(claim) % 1'000'000u;
  configuration.testParams.maxSuccess = static_cast<int>(rounds(100));
  if (const char* asked = std::getenv("RC_PARAMS")) {
    configuration = rc::detail::configFromString(asked, configuration);
  }
  return configuration;
}

inline std::string describe(const rc::detail::FailureResult& failure) {
  std::string text = "after " + std::to_string(failure.numSuccess) + " good cases, with\n";
  for (const auto& [type, value] : failure.counterExample) text += "  " + value + "\n";
  return text + failure.description;
}

}  // namespace detail

// Checks a claim on 100 random inputs, fewer under sanitizers. testable is a lambda with
// typed parameters (no `auto`); it holds for a case when it returns true or nothing, throws
// nothing, and none of its GoogleTest expectations or RC_ASSERTs fails. On failure the test fails
// with the smallest counterexample that was found. The inputs are the same in each run; the message
// has the seed, and RC_PARAMS in the environment overrides it.
//
// Runs on the calling thread; testable may start others and must join them.
template <class Testable>
void property(std::string_view claim, Testable testable,
              std::source_location where = std::source_location::current()) {
  detail::Cases cases;
  const auto configuration = detail::property_configuration(claim);
  const auto& params = configuration.testParams;
  rc::detail::TestMetadata metadata;
  metadata.id = metadata.description = std::string(claim);
  detail::SilentListener listener;
  const auto result = rc::detail::checkProperty(
      rc::detail::toProperty(detail::counted(testable, cases, &Testable::operator())), metadata,
      params, listener, configuration.reproduce);

  std::string failure;
  if (!cases.unwritten().empty()) {
    failure = cases.unwritten();
  } else if (result.template is<rc::detail::FailureResult>()) {
    failure = "this does not hold: " + std::string(claim) + "\n" +
              detail::describe(result.template get<rc::detail::FailureResult>());
  } else if (result.template is<rc::detail::GaveUpResult>()) {
    failure = "too few inputs met the preconditions of: " + std::string(claim) + "\n" +
              result.template get<rc::detail::GaveUpResult>().description;
  } else if (result.template is<rc::detail::Error>()) {
    failure = "could not check: " + std::string(claim) + "\n" +
              result.template get<rc::detail::Error>().description;
  } else {
    return;
  }
  ADD_FAILURE_AT(where.file_name(), static_cast<int>(where.line()))
      << failure << "\nthe same inputs again: RC_PARAMS=\"seed=" << params.seed << "\"";
}

}  // namespace workbook
