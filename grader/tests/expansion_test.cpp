#include <gtest/gtest.h>
#include <string>

#include "policy.hpp"

namespace grader {
namespace {

Stage stage() {
  Stage stage;
  stage.files = {{.path = "01_first_future/suite.cpp", .bytes = {}, .trusted = true},
                 {.path = "01_first_future/first_future.hpp", .bytes = {}, .trusted = false},
                 {.path = "01_first_future/helper.hpp", .bytes = {}, .trusted = false}};
  return stage;
}

TEST(Expansion, CountsWhatSubmittedFilesBecome) {
  const std::string expanded =
      "# 1 \"01_first_future/suite.cpp\"\n"
      "int trusted;\n"
      "# 1 \"01_first_future/first_future.hpp\" 1\n"
      "12345\n"
      "# 1 \"/usr/include/stdio.h\" 1 3 4\n"
      "int printf();\n"
      "# 2 \"01_first_future/./helper.hpp\" 2\n"
      "123\n"
      "# 9 \"01_first_future/suite.cpp\" 2\n"
      "int trusted_too;";
  EXPECT_EQ(submitted_bytes(stage(), expanded), 6U + 4U);
}

TEST(Expansion, CountsALastLineWithoutEnd) {
  EXPECT_EQ(submitted_bytes(stage(), "# 1 \"01_first_future/helper.hpp\"\n123"), 3U);
  EXPECT_EQ(submitted_bytes(stage(), ""), 0U);
}

}  // namespace
}  // namespace grader
