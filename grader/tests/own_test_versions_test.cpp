#include "own_test_versions.hpp"

#include <gtest/gtest.h>

namespace {

using grader::first_sentence;

TEST(InOrderOfMeeting, ThoseThatTheTaskNamesComeFirst) {
  grader::Task task;
  task.own_test_meets_first = {"forgets", "not_there", "waits"};
  const std::vector<std::filesystem::path> expected{"e/forgets.hpp", "e/waits.hpp", "e/hangs.hpp",
                                                    "e/looks.hpp"};
  EXPECT_EQ(grader::in_order_of_meeting(
                task, {"e/forgets.hpp", "e/hangs.hpp", "e/looks.hpp", "e/waits.hpp"}),
            expected);
}

TEST(IsMetFirst, WhateverFolderItIsIn) {
  grader::Task task;
  task.own_test_meets_first = {"forgets"};
  EXPECT_TRUE(grader::is_met_first(task, "solutions/01/earlier/forgets.hpp"));
  EXPECT_FALSE(grader::is_met_first(task, "solutions/01/earlier/forgets_not.hpp"));
}

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
