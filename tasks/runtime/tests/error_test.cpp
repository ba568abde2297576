#include "runtime/error.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace futures {
namespace {

TEST(Error, ComparesWithItsCodeByName) {
  const Error error{Errc::cancelled, "why"};
  EXPECT_TRUE(error.code == Errc::cancelled);
  EXPECT_FALSE(error.code == Errc::closed);
  EXPECT_FALSE(error.code == std::errc::operation_canceled);
  EXPECT_EQ(error, (Error{Errc::cancelled, "why"}));
  EXPECT_NE(error, (Error{Errc::cancelled, "another"}));
}

TEST(Error, EveryCodeHasItsOwnText) {
  std::string seen;
  for (int value = 1; value <= static_cast<int>(Errc::lease_lost); ++value) {
    const std::string text = make_error_code(static_cast<Errc>(value)).message();
    EXPECT_EQ(text.find("unknown"), std::string::npos) << value;
    EXPECT_EQ(seen.find("|" + text + "|"), std::string::npos) << text;
    seen += "|" + text + "|";
  }
  EXPECT_EQ(std::error_code(99, make_error_code(Errc::closed).category()).message(),
            "unknown error 99");
}

Error caught(auto thrower) {
  try {
    thrower();
  } catch (...) {
    return error_from_current_exception();
  }
  return Error{};
}

TEST(Error, AnExceptionBecomesAnErrorWithItsText) {
  const Error error = caught([] { throw std::runtime_error("disk on fire"); });
  EXPECT_TRUE(error.code == Errc::exception);
  EXPECT_EQ(error.message, "disk on fire");
}

TEST(Error, SoDoesWhatIsNoStdException) {
  EXPECT_TRUE(caught([] { throw 42; }).code == Errc::exception);
  EXPECT_FALSE(caught([] { throw 42; }).message.empty());
}

TEST(Error, NotImplementedSaysWhatAndWhere) {
  try {
    not_implemented();
  } catch (const NotImplemented& e) {
    const std::string what = e.what();
    EXPECT_TRUE(what.starts_with("not implemented yet: ")) << what;
    EXPECT_NE(what.find("error_test.cpp:"), std::string::npos) << what;
  }
}

TEST(Error, FnHoldsAMoveOnlyCapture) {
  Fn<int()> fn = [p = std::make_unique<int>(7)] { return *p; };
  Fn<int()> moved = std::move(fn);
  EXPECT_EQ(moved(), 7);
}

}  // namespace
}  // namespace futures
