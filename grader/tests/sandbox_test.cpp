// Who is to blame when a program says nothing: itself, or the box around it.
#include "sandbox.hpp"

#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <limits>
#include <string>
#include <vector>

#include "files.hpp"
#include "process.hpp"

namespace grader {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// A folder to run in, with the sandbox that works here and with none.
class SandboxTest : public testing::TestWithParam<bool> {
 protected:
  SandboxTest() : folder_(fs::temp_directory_path()), sandbox_(sandbox()) {
    sandbox_.hand_over(folder_.path());
  }

  ProcessResult run(const Box& box, const std::vector<std::string>& argv) const {
    return run_process(sandbox_.command(box, argv), {.wall = 10s}, nullptr, {});
  }

  Box box() const { return sandbox_.box_around(folder_.path()); }
  bool boxed() const { return GetParam(); }
  const Sandbox& the_sandbox() const { return sandbox_; }

 private:
  // Nobody finds bubblewrap where there is nothing but prlimit.
  Sandbox sandbox() const {
    if (boxed()) return Sandbox::probe(folder_.path());
    const fs::path tools = folder_.path() / "tools";
    fs::create_directory(tools);
    fs::create_symlink("/usr/bin/prlimit", tools / "prlimit");
    const std::string path = std::getenv("PATH");
    ::setenv("PATH", tools.c_str(), 1);
    auto none = Sandbox::probe(folder_.path());
    ::setenv("PATH", path.c_str(), 1);
    return none;
  }

  ScratchDir folder_;
  Sandbox sandbox_;
};

TEST_P(SandboxTest, AProgramCannotSpeakForIt) {
  ASSERT_TRUE(boxed() || !the_sandbox().active());
  for (const char* words : {"bwrap: no room", "prlimit: failed", "setpriv: no"}) {
    const auto script = std::string("echo '") + words + "' >&2; exit 1";
    const auto result = run(box(), {"/bin/sh", "-c", script});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_TRUE(result.err.starts_with(words)) << result.err;
    EXPECT_EQ(Sandbox::trouble(result), "");
  }
}

TEST_P(SandboxTest, AProgramHasNothingToRead) {
  const auto result = run(box(), {"/bin/sh", "-c", "cat; echo read; echo mark >&0"});
  EXPECT_EQ(result.out, "read\n");
  EXPECT_NE(result.exit_code, 0) << "it could write where the mark is expected";
}

TEST_P(SandboxTest, SaysWhatKeptItFromBeingSetUp) {
  auto narrow = box();
  narrow.open_files = std::numeric_limits<unsigned>::max();  // nobody gets so many
  EXPECT_TRUE(Sandbox::trouble(run(narrow, {"/bin/sh", "-c", ":"})).starts_with("prlimit: "));
  EXPECT_NE(Sandbox::trouble(run(box(), {"/no/such/program"})), "");
}

TEST_P(SandboxTest, SaysSoOfAMountThatIsNotThere) {
  if (!the_sandbox().active()) GTEST_SKIP() << "nothing is mounted without a box";
  auto broken = box();
  broken.mounts.push_back({"/no/such/folder", "/mnt", false});
  EXPECT_TRUE(Sandbox::trouble(run(broken, {"/bin/sh", "-c", ":"})).starts_with("bwrap: "));
}

INSTANTIATE_TEST_SUITE_P(With, SandboxTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "ABox" : "None"; });

}  // namespace
}  // namespace grader
