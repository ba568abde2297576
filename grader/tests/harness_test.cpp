// The built kit, by its name: what is of use to whom. Nothing is built here.
#include "harness.hpp"

#include <filesystem>
#include <gtest/gtest.h>

namespace grader {
namespace {

Harness built_below(const std::filesystem::path& build) {
  const std::filesystem::path root = REPOSITORY_DIR;
  const Toolchain compiler{.compiler = "/usr/bin/c++",
                           .clang = true,
                           .major = 19,
                           .description = "clang 19",
                           .identity = "clang 19"};
  return {{.root = root, .kit_dir = root / "tasks", .build_dir = build}, compiler};
}

TEST(Harness, IsAnotherOneWhereACheckoutHasMoved) {
  const auto here = built_below("/here/build");
  const auto there = built_below("/there/build");
  EXPECT_EQ(here.key(), there.key()) << "programs that were built stay known";
  EXPECT_NE(here.folder().filename(), there.folder().filename()) << "its flags name the old place";
  EXPECT_EQ(here.folder(), built_below("/here/build").folder());
}

}  // namespace
}  // namespace grader
