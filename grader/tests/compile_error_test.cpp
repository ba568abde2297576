#include "compile_error.hpp"

#include <gtest/gtest.h>

namespace grader {
namespace {

TEST(FirstError, IsTheLearnersOwnLineWithTheCode) {
  EXPECT_EQ(first_error("04_promise/promise.hpp:29:34: error: use of undeclared identifier 'x'\n"
                        "   29 |   return x;\n"
                        "      |          ^\n"
                        "04_promise/promise.hpp:31:1: error: something else\n",
                        "04_promise"),
            "04_promise/promise.hpp:29:34: use of undeclared identifier 'x'\n"
            "   29 |   return x;\n"
            "      |          ^");
}

TEST(FirstError, OfAnAssertionIsItsMessage) {
  constexpr auto told = "04_promise/suite.cpp:32:5: static assertion failed: resolve() is a bool";
  EXPECT_EQ(first_error("04_promise/suite.cpp:32:5: error: static assertion failed due to "
                        "requirement 'requires (P &p) { { p.resolve('x') } -> bool; }': resolve() "
                        "is a bool\n   32 |     requires(P& p) {\n      |     ^~~~~\n",
                        "04_promise"),
            told);
  EXPECT_EQ(first_error("04_promise/suite.cpp:32:5: error: static assertion failed: resolve() is "
                        "a bool\n   32 |     requires(P& p) {\n      |     ^~~~~\n",
                        "04_promise"),
            told);
}

TEST(FirstError, OfAnAssertionWithoutAMessageShowsWhatWasAsserted) {
  EXPECT_EQ(first_error("04_promise/promise.hpp:3:1: error: static assertion failed\n"
                        "    3 | static_assert(sizeof(int) == 8);\n",
                        "04_promise"),
            "04_promise/promise.hpp:3:1: static assertion failed\n"
            "    3 | static_assert(sizeof(int) == 8);");
}

}  // namespace
}  // namespace grader
