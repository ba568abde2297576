#include "similarity.hpp"

#include <cstdint>
#include <gtest/gtest.h>
#include <set>

#include "disguise.hpp"
#include "tokens.hpp"

namespace grader {
namespace {

constexpr auto kSource = R"cpp(
#pragma once
#include <mutex>
  // A comment.
  class Counter {
   public:
    int next() {
      const std::lock_guard lock(mutex_);
      return ++count_;
    }

   private:
    std::mutex mutex_; /* guards */
    int count_ = 0;
  };
)cpp";

constexpr auto kRenamed = R"cpp(
#include <atomic>
#include <mutex>
  class C {
   public:
    int n() {
      const std::lock_guard g(m);
      return ++c;
    }

   private:
    std::mutex m;
    int c = 0;
  };
)cpp";

TEST(Similarity, LayoutAndCommentsDoNotCount) {
  EXPECT_EQ(token_hash("int  a ; // x\n"), token_hash("int a;"));
  EXPECT_NE(token_hash("int a;"), token_hash("int b;"));
}

TEST(Similarity, ACopyWithOtherNamesHasTheSameShape) {
  EXPECT_EQ(shape_hash(kSource), shape_hash(kRenamed));
  EXPECT_NE(token_hash(kSource), token_hash(kRenamed));
}

TEST(Similarity, OtherStatementsAreAnotherShape) {
  EXPECT_NE(shape_hash("int f() { return a + b; }"), shape_hash("int f() { return b + b; }"));
  EXPECT_NE(shape_hash("int f() { return 1; }"), shape_hash("int f() { return 2; }"));
  EXPECT_EQ(shape_hash("f(\"one\");"), shape_hash("g(\"two\");"));
}

TEST(Disguise, KeepsTheProgramAndDropsWhatGivesItAway) {
  const auto coat = disguised(kSource, 7);
  EXPECT_EQ(coat.find("comment"), std::string::npos);
  EXPECT_EQ(coat.find("guards"), std::string::npos);
  EXPECT_NE(coat.find("#include <mutex>\n"), std::string::npos);
  EXPECT_NE(coat.find("unsigned char"), std::string::npos) << "the class gets another size";
  EXPECT_EQ(coat, disguised(kSource, 7));
  EXPECT_NE(coat, disguised(kSource, 8));
}

TEST(Disguise, LeavesLiteralsAndOperatorsWhole) {
  const auto coat = disguised("auto t = 10ms; auto s = \"a // b\"sv; x &= y->*z; a <=> b;", 1);
  for (const auto* whole : {"10ms", "\"a // b\"sv", "&=", "->*", "<=>"}) {
    EXPECT_NE(coat.find(whole), std::string::npos) << whole << " in " << coat;
  }
}

TEST(Disguise, KeepsOperatorsOfTwoCharactersTogether) {
  constexpr auto kFunction = "int f(S& s, S* p, int S::*m) { return s.*m + p->*m; }";
  const auto coat = disguised(kFunction, 3);
  EXPECT_NE(coat.find(".*"), std::string::npos) << coat;
  EXPECT_NE(coat.find("->*"), std::string::npos) << coat;
}

TEST(Disguise, AProgramWithoutPrivatePartsOrBodiesHasTheSameTokens) {
  constexpr auto kPlain = "#define X 1\ntemplate <class T> T f(T a);\nstruct A { int b{X >> 1}; };";
  EXPECT_EQ(token_hash(kPlain), token_hash(disguised(kPlain, 3)));
}

TEST(Disguise, GivesFunctionsAnotherSize) {
  constexpr auto kFunction = "int f(int a) { return a; }";
  std::set<std::size_t> sizes;
  for (std::uint64_t seed = 0; seed < 20; ++seed) sizes.insert(disguised(kFunction, seed).size());
  EXPECT_GT(sizes.size(), 5U);
}

TEST(Disguise, PutsNoStatementWhereNoneMayStand) {
  for (const auto* source : {"switch (x) { case 1: break; }", "requires(T t) { t.f(); }",
                             "struct alignas(64) { int a; };", "enum E : decltype(x) { one };"}) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      EXPECT_FALSE(disguised(source, seed).contains("volatile")) << source;
    }
  }
}

}  // namespace
}  // namespace grader
