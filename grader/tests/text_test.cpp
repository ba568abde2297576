#include "text.hpp"

#include <gtest/gtest.h>

namespace grader {
namespace {

TEST(Text, TestNamesReadAsSentences) {
  EXPECT_EQ(as_sentence("Basic.ASecondReceiveReturnsNulloptAtOnce"),
            "a second receive returns nullopt at once");
  EXPECT_EQ(as_sentence("Stress.AThousandResolversMakeOneTransition"),
            "a thousand resolvers make one transition");
  EXPECT_EQ(as_sentence("Stress.All1000Agree"), "all 1000 agree");
  EXPECT_EQ(as_sentence("Basic.TNeedsNoDefaultConstructor"), "t needs no default constructor");
  EXPECT_EQ(as_sentence("Basic.TheURLIsKept"), "the URL is kept");
}

TEST(Text, WidthIsCountedInCharacters) {
  EXPECT_EQ(columns("Zürich…"), 7U);
  EXPECT_EQ(clipped("abcdef", 4), "abc…");
  EXPECT_EQ(clipped("abcd", 4), "abcd");
  EXPECT_EQ(padded("äb", 4), "äb  ");
}

TEST(Text, ParagraphsAreFilled) {
  EXPECT_EQ(filled("one two three", 8), "one two\nthree");
  EXPECT_EQ(filled("- one two three", 9, 2), "- one two\n  three");
  EXPECT_EQ(filled("unbreakableword x", 5), "unbreakableword\nx");
}

TEST(Text, WhatASubmissionPrintsCannotDriveTheTerminal) {
  EXPECT_EQ(printable("a\x1b[2Jb\rc\td"), "a?[2Jbc  d");
  EXPECT_EQ(printable("bad \xff utf"), "bad ? utf");
  EXPECT_EQ(printable("über\n"), "über\n");
  EXPECT_EQ(printable("\xE2\x80\xAE"), "???") << "a mark that reverses the direction of text";
}

}  // namespace
}  // namespace grader
