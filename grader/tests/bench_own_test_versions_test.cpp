// Which of a learner's own earlier versions an own test may break: those that the suite has failed.
// One graded only to be recognised later is none of them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "files.hpp"
#include "grading.hpp"
#include "hostile_corpus.hpp"
#include "ledger.hpp"
#include "own_test_versions.hpp"

namespace grader::hostile {
namespace {

namespace fs = std::filesystem;

class OwnTestVersions : public testing::Test {
 public:
  static void SetUpTestSuite() {
    become_reaper();
    ground = new Ground;
    // The learner's versions are all there is to break.
    for (const auto& file : headers_in(ground->task().solution / "earlier")) fs::remove(file);
  }
  static void TearDownTestSuite() {
    delete ground;
    ground = nullptr;
  }

 protected:
  OwnTestVersions() {
    const auto* name = testing::UnitTest::GetInstance()->current_test_info()->name();
    submission_.dir = ground->scratch() / name;
    submission_.name = name;
    fs::create_directories(folder());
  }

  fs::path folder() const { return submission_.dir / ground->task().folder; }

  TaskReport grade_header(const std::string& header) const {
    write_whole_file(folder() / ground->task().header, header);
    auto report = grade(ground->workbook(), submission_, ground->bench(), {.tasks = {1}}, {}, {});
    return std::move(report.tasks.front());
  }

  // A right version that no solution is a copy of, with something else in its namespace.
  static std::string right_with(const std::string& more) {
    const auto right = fs::path(REPOSITORY_DIR) / "grader/tests/hostile/_right.hpp";
    return slurp(right) + "namespace futures {\n" + more +
           "\ninline Receiver<int> async(Fn<int()> fn) { return right_async(std::move(fn)); }\n}\n";
  }

  Submission submission_;
  static inline Ground* ground = nullptr;
};

TEST_F(OwnTestVersions, ARightOneGradedOnlyToBeRecognisedDoesNotCount) {
  ASSERT_EQ(grade_header(right_with("inline bool marked(const Error&) { return true; }"))
                .evidence.standing,
            Standing::passed);
  write_whole_file(folder() / "my_test.cpp", R"(
#include <gtest/gtest.h>

#include "first_future.hpp"
#include "testing/kit.hpp"

template <class T> bool marked(const T&) { return false; }
TEST(MyTest, KnowsTheMark) {
  workbook::stress(1, 1, [](std::size_t, std::size_t) { EXPECT_FALSE(marked(futures::Error{})); });
}
)");
  const auto report = grade_header(right_with(""));
  EXPECT_EQ(report.evidence.standing, Standing::passed);
  EXPECT_EQ(report.own_test.verdict, OwnTest::unqualified) << report.own_test.why;
  EXPECT_TRUE(report.own_test.why.contains("no earlier version")) << report.own_test.why;
  const auto versions = Ledger(submission_.dir).of(1).versions;
  ASSERT_EQ(versions.size(), 2U);
  EXPECT_FALSE(versions[0].rejected || versions[1].rejected);
}

TEST_F(OwnTestVersions, OneThatTheSuiteFailedDoes) {
  const auto flawed = fs::path(REPOSITORY_DIR) / "solutions/01_first_future/earlier" /
                      "default_value_on_failure.hpp";
  ASSERT_EQ(grade_header(slurp(flawed)).evidence.standing, Standing::failed);
  const auto versions = Ledger(submission_.dir).of(1).versions;
  ASSERT_EQ(versions.size(), 1U);
  EXPECT_TRUE(versions[0].rejected);
  fs::copy_file(fs::path(REPOSITORY_DIR) / "solutions/01_first_future/my_test.cpp",
                folder() / "my_test.cpp");
  const auto report = grade_header(right_with(""));
  EXPECT_EQ(report.own_test.verdict, OwnTest::qualified) << report.own_test.why;
  // Which version it is told to have broken is drawn by lot, or remembered from another grading.
  const auto file = Ledger(submission_.dir).version_file(ground->task().folder, versions[0]);
  ASSERT_TRUE(file);
  const OwnTestCase own{.workbook = &ground->workbook(),
                        .submission = &submission_,
                        .task = &ground->task(),
                        .uses = {},
                        .kept = {{1, *file}}};
  EXPECT_EQ(collect_versions(own).suspects.front().name, "your version 1");
}

}  // namespace
}  // namespace grader::hostile
