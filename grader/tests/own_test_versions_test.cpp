#include "own_test_versions.hpp"

#include <gtest/gtest.h>

namespace {

using grader::first_sentence;

TEST(FirstSentence, GoesOnOverLines) {
  EXPECT_EQ(
      first_sentence("// Wrong: looks first; bites when two\n// look at once.\n#pragma once\n"),
      "Wrong: looks first; bites when two look at once.");
}

TEST(FirstSentence, EndsWhereTheNextBegins) {
  EXPECT_EQ(first_sentence("// Wrong: ends with 0.5 s, e.g. early. A future.\n"),
            "Wrong: ends with 0.5 s, e.g. early.");
  EXPECT_EQ(first_sentence("// Wrong: forgets it.\n// A future of its own.\n"),
            "Wrong: forgets it.");
}

TEST(FirstSentence, OfASourceWithoutAComment) {
  EXPECT_EQ(first_sentence("#pragma once\n// Later.\n"), "");
  EXPECT_EQ(first_sentence(""), "");
  EXPECT_EQ(first_sentence("//"), "");
}

}  // namespace
