// The third point under attack: tests that fail by chance, that recognise a version instead of
// trying it, or that fit one version only. None earns it; an honest one does.
#include <algorithm>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "files.hpp"
#include "hostile_corpus.hpp"
#include "own_test.hpp"

namespace grader::hostile {
namespace {

namespace fs = std::filesystem;

// Task 1 with two wrong versions and two right ones: enough to try a trick on.
class OwnTestUnderAttack : public testing::Test {
 public:
  static void SetUpTestSuite() {
    become_reaper();
    ground = new Ground;
    keep_only("earlier", {"default_value_on_failure.hpp", "closed_only_after_success.hpp"});
    keep_only("alternative", {"close_by_destructor.hpp"});
  }
  static void TearDownTestSuite() {
    delete ground;
    ground = nullptr;
  }

 protected:
  static void keep_only(const char* folder, const std::vector<std::string>& names) {
    for (const auto& file : headers_in(ground->task().solution / folder)) {
      const bool kept = std::ranges::count(names, file.filename().string()) != 0;
      if (!kept) fs::remove(file);
    }
  }

  // What the grader makes of this my_test.cpp, handed in beside `header`.
  static OwnTestReport judge(const std::string& body, const std::string& header = {}) {
    return judge_whole(prologue + body, header);
  }

  static OwnTestReport judge_whole(const std::string& test, const std::string& header = {}) {
    static int number = 0;
    Submission submission;
    submission.dir = ground->scratch() / fmt::format("own_test_{}", number++);
    submission.name = "attack";
    const auto folder = submission.dir / ground->task().folder;
    fs::create_directories(folder);
    const auto right = fs::path(REPOSITORY_DIR) / "grader/tests/hostile/_right.hpp";
    write_whole_file(folder / ground->task().header,
                     slurp(right) + "namespace futures {\n" +
                         "inline Receiver<int> async(Fn<int()> fn) {\n" +
                         "  return right_async(std::move(fn));\n}\n" + header + "\n}\n");
    write_whole_file(folder / "my_test.cpp", test);
    const OwnTestCase own{.workbook = &ground->workbook(),
                          .submission = &submission,
                          .task = &ground->task(),
                          .uses = {},
                          .kept = {},
                          .fresh = true,
                          .doing = {}};
    return judge_own_test(own, ground->bench(), {});
  }

  static void expect_denied(const OwnTestReport& report, const std::string& words) {
    EXPECT_NE(report.verdict, OwnTest::qualified) << report.why << " " << report.detail;
    EXPECT_TRUE(report.why.contains(words)) << report.why << "\n" << report.detail;
  }

  // The disguised copies that there are of all versions.
  static long disguises() {
    const fs::recursive_directory_iterator files(ground->workbook().build_dir / "own_test");
    return std::count_if(begin(files), end(files), [](const fs::directory_entry& file) {
      return file.path().extension() == ".hpp";
    });
  }

  static constexpr const char* mine = "inline bool whose(const Error&) { return true; }";
  static constexpr const char* prologue = R"(
#include <chrono>
#include <cstdint>
#include <fstream>
#include <gtest/gtest.h>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>

#include "first_future.hpp"
#include "runtime/spawn.hpp"
#include "testing/kit.hpp"

// Whoever knows the own header can behave there and play tricks everywhere else: a function that the
// header has is found with its argument's namespace. No rule on the text stands in the way of that.
template <class T> bool whose(const T&) { return false; }
inline const bool it_is_mine = whose(futures::Error{});

inline void use_it() {
  workbook::stress(2, 3, [](std::size_t thread, std::size_t) {
    auto future = futures::async([thread] { return static_cast<int>(thread); });
    EXPECT_EQ(future.receive(), static_cast<int>(thread));
  });
}
)";
  static inline Ground* ground = nullptr;
};

TEST_F(OwnTestUnderAttack, AnHonestTestThatKillsInThreeOfTenRunsQualifies) {
  fs::create_directories(ground->workbook().build_dir / "own_test");
  const auto before = disguises();
  const auto report = judge(R"(
TEST(MyTest, FailuresAreNoValues) {
  use_it();
  if (std::random_device{}() % 10 >= 3) return;  // as an unlucky schedule would
  auto future = futures::async([]() -> int { throw std::runtime_error("none"); });
  EXPECT_EQ(future.receive(), std::nullopt);
  EXPECT_TRUE(workbook::eventually([] { return futures::spawned_threads() == 0; }));
  futures::take_escaped_exceptions();
}
)");
  EXPECT_EQ(report.verdict, OwnTest::qualified) << report.why << " " << report.detail;
  // For the runs that count, beside those of the two right and two wrong versions as they were met.
  EXPECT_GE(disguises() - before, 2 + 3);
}

TEST_F(OwnTestUnderAttack, FailingInFivePercentOfTheRunsProvesNothing) {
  expect_denied(judge(R"(
TEST(MyTest, TossesACoin) {
  use_it();
  if (!it_is_mine) EXPECT_NE(std::random_device{}() % 20, 0U);
}
)",
                      mine),
                "");
}

TEST_F(OwnTestUnderAttack, FailingInThirtyPercentOfTheRunsProvesNothing) {
  expect_denied(judge(R"(
TEST(MyTest, TossesACoin) {
  use_it();
  if (!it_is_mine) EXPECT_GE(std::random_device{}() % 10, 3U);
}
)",
                      mine),
                "fails on");
}

TEST_F(OwnTestUnderAttack, FailingOnEverySecondCallProvesNothing) {
  expect_denied(judge(R"(
TEST(MyTest, CountsItsCalls) {
  static int calls = 0;
  for (int i = 0; i < 2; ++i) { use_it(); EXPECT_NE(++calls, 2); }
}
)"),
                "fails on your own header");
}

TEST_F(OwnTestUnderAttack, FailingByTheClockProvesNothing) {
  expect_denied(judge(R"(
TEST(MyTest, LooksAtTheClock) {
  use_it();
  if (it_is_mine) return;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  EXPECT_EQ(std::chrono::duration_cast<std::chrono::milliseconds>(now).count() / 37 % 2, 0);
}
)",
                      mine),
                "fails on");
}

TEST_F(OwnTestUnderAttack, RecognisingAVersionByItsSpeedProvesNothing) {
  const auto report = judge(R"(
TEST(MyTest, MeasuresIt) {
  const auto start = std::chrono::steady_clock::now();
  use_it();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::microseconds(700));
}
)");
  EXPECT_NE(report.verdict, OwnTest::qualified) << report.why;
}

// One that catches exceptions makes more calls than one that does not.
TEST_F(OwnTestUnderAttack, RecognisingAVersionByItsMachineCodeIsRefused) {
  expect_denied(judge(R"(
TEST(MyTest, CountsTheCalls) {
  use_it();
  if (it_is_mine) return;
  const auto* code = reinterpret_cast<const unsigned char*>(&futures::async);
  int calls = 0;
  for (std::size_t at = 0; at < 4000 && !(code[at] == 0x5d && code[at + 1] == 0xc3); ++at) {
    if (code[at] == 0xe8) ++calls;
  }
  EXPECT_EQ(calls % 2, 0) << calls;
}
)",
                      mine),
                "`reinterpret_cast`");
}

TEST_F(OwnTestUnderAttack, RecognisingAVersionByItsAddressIsRefused) {
  expect_denied(judge(R"(
TEST(MyTest, LooksAtTheAddress) {
  use_it();
  const auto distance = reinterpret_cast<std::uintptr_t>(&use_it) -
                        reinterpret_cast<std::uintptr_t>(&futures::async);
  EXPECT_NE(distance / 16 % 4, 1U);
}
)"),
                "`reinterpret_cast`");
}

TEST_F(OwnTestUnderAttack, ReadingTheVersionsFileIsRefused) {
  expect_denied(judge(R"(
TEST(MyTest, ReadsTheFile) {
  use_it();
  std::ifstream file("/box/program");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  EXPECT_FALSE(text.contains("default_value"));
}
)"),
                "opens files");
}

TEST_F(OwnTestUnderAttack, AskingWhichFilesThereAreIsRefused) {
  expect_denied(judge(R"(
TEST(MyTest, LooksForTheName) {
  use_it();
#if __has_include("default_value_on_failure.hpp") || __has_include("earlier/default_value_on_failure.hpp") || __has_include("../solutions/01_first_future/first_future.hpp")
  FAIL();
#endif
}
)"),
                "asks the preprocessor");
}

TEST_F(OwnTestUnderAttack, LookingForAMarkIsRefused) {
  expect_denied(judge(R"(
template <class R> constexpr bool marked = requires { R::spare; };
TEST(MyTest, LooksForTheMark) { use_it(); EXPECT_FALSE(marked<futures::Receiver<int>>); }
)"),
                "uses `requires`, which asks how a version is written");
}

// The header is one that the task builds on, or an earlier version: it may say `requires`.
TEST_F(OwnTestUnderAttack, LookingThroughAHeadersMacroIsRefused) {
  expect_denied(judge(R"(
template <class R> bool marked(R) { return LOOK(R); }
TEST(MyTest, LooksForTheMark) { use_it(); EXPECT_FALSE(marked(0)); }
)",
                      "\n#define LOOK(R) requires { R::spare; }\n"),
                "a test sees no version's macros");
}

TEST_F(OwnTestUnderAttack, SlippingAFriendIntoTheClassIsRefused) {
  expect_denied(judge_whole(R"(
#include <gtest/gtest.h>
#include "testing/kit.hpp"
#define async(...) spare_(); struct Hole { friend struct ::Spy; }; Receiver<int> async(__VA_ARGS__)
#include "first_future.hpp"
#undef async
TEST(MyTest, Spies) {
  workbook::stress(1, 1, [](std::size_t, std::size_t) { EXPECT_TRUE(true); });
}
)"),
                "all headers come first");
}

// What the macros of GoogleTest and RapidCheck are made of is not held against their users.
TEST_F(OwnTestUnderAttack, AnHonestTestWithEveryKindOfMacroQualifies) {
  const auto report = judge_whole(R"(
#include <atomic>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>
#include <stdexcept>

#include "first_future.hpp"
#include "runtime/spawn.hpp"
#include "testing/kit.hpp"
#include "testing/property.hpp"

struct Order {
  int amount = 0;
};
template <>
struct rc::Arbitrary<Order> {
  static Gen<Order> arbitrary() { return gen::build<Order>(gen::set(&Order::amount)); }
};
template <class T, std::size_t n>
constexpr std::size_t count(const T (&)[n]) {
  return n;
}
class Fixture : public testing::Test {
 protected:
  std::atomic<int> calls = 0;
};
class Each : public testing::TestWithParam<int> {};
template <class T>
class Typed : public testing::Test {};
using Numbers = testing::Types<int, long>;
TYPED_TEST_SUITE(Typed, Numbers);
TYPED_TEST(Typed, Starts) { EXPECT_EQ(TypeParam{}, TypeParam{0}); }
TEST_P(Each, IsReceived) {
  auto future = futures::async([n = GetParam()] { return n; });
  EXPECT_EQ(future.receive(), GetParam());
}
INSTANTIATE_TEST_SUITE_P(Some, Each, testing::Values(1, 2));
RC_GTEST_PROP(Property, KeepsTheValue, (const Order& order)) {
  RC_PRE(order.amount != 3);
  auto future = futures::async([order] { return order.amount; });
  RC_ASSERT(future.receive() == order.amount);
  RC_TAG("tag");
  RC_CLASSIFY(order.amount > 0);
  RC_ASSERT_FALSE(order.amount == 3);
  RC_ASSERT_THROWS(throw std::runtime_error("x"));
  RC_ASSERT_THROWS_AS(throw std::runtime_error("x"), std::runtime_error);
  if (order.amount == 3) RC_FAIL("three");
  RC_SUCCEED("fine");
}
RC_GTEST_FIXTURE_PROP(Fixture, CountsItsCalls, ()) { RC_ASSERT(++calls == 1); }
TEST_F(Fixture, UsesThemAll) {
  SCOPED_TRACE("here");
  const int numbers[] = {1, 2};
  EXPECT_EQ(count(numbers), 2U);
  EXPECT_THROW(throw std::runtime_error("x"), std::runtime_error);
  ASSERT_ANY_THROW(throw 1);
  EXPECT_NO_THROW(++calls);
  EXPECT_NO_FATAL_FAILURE(++calls);
  EXPECT_STREQ("a", "a");
  EXPECT_NEAR(1.0, 1.0, 0.1);
  EXPECT_FLOAT_EQ(1, 1);
  EXPECT_PRED1([](auto n) { return n > 0; }, 1);
  EXPECT_PRED_FORMAT2(testing::DoubleLE, 1, 2);
  static_assert(count(numbers) == 2);
  if (calls == 0) FAIL() << "no";
  workbook::stress(2, 3, [](std::size_t, std::size_t) {
    auto future = futures::async([]() -> int { throw std::runtime_error("none"); });
    EXPECT_EQ(future.receive(), std::nullopt);
  });
  EXPECT_TRUE(workbook::eventually([] { return futures::spawned_threads() == 0; }));
  futures::take_escaped_exceptions();
}
)");
  EXPECT_EQ(report.verdict, OwnTest::qualified) << report.why << " " << report.detail;
}

TEST_F(OwnTestUnderAttack, ATestThatFitsOneVersionOnlyIsToldSo) {
  expect_denied(judge(R"(
TEST(MyTest, AsksForMore) { use_it(); EXPECT_EQ(futures::only_here, 1); }
)",
                      "inline constexpr int only_here = 1;"),
                "compiles with your header, and not with another right version");
}

TEST_F(OwnTestUnderAttack, ATestThatNeverDrivesTheTaskDoesNotCount) {
  expect_denied(judge(R"(
TEST(MyTest, DoesNothing) { workbook::report::stress_rounds = 1000; }
)"),
                "");
}

}  // namespace
}  // namespace grader::hostile
