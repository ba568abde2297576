#include <string>
#include <thread>
#include <vector>

#include "testing/kit.hpp"

namespace {

using workbook::History;
using Lines = std::vector<std::string>;

TEST(AHistory, KeepsTheOrder) {
  History history;
  EXPECT_EQ(history.lines(), Lines());
  history.add("made");
  history.add(2, "resolve(7) -> true");
  EXPECT_EQ(history.lines(), (Lines{"made", "T2: resolve(7) -> true"}));
  EXPECT_EQ(history.text(), "1. made\n2. T2: resolve(7) -> true\n");
}

TEST(AHistory, KeepsAnOrderThatThreadsAgreedOn) {
  History history;
  workbook::Gate first_is_done;
  std::jthread second([&] {
    first_is_done.wait();
    history.add("second");
  });
  history.add("first");
  first_is_done.open();
  second.join();
  EXPECT_EQ(history.lines(), (Lines{"first", "second"}));
}

TEST(AHistory, LosesNothingUnderFire) {
  workbook::stress_on(
      8, workbook::rounds(100), [] { return History(); },
      [](History& history, std::size_t thread) {
        for (int i = 0; i < 10; ++i) history.add(thread, std::to_string(i));
      },
      [](History& history) {
        const auto lines = history.lines();
        EXPECT_EQ(lines.size(), 80u);
        for (std::size_t thread = 0; thread < 8; ++thread) {
          Lines own;
          const auto name = "T" + std::to_string(thread) + ": ";
          for (const auto& line : lines) {
            if (line.starts_with(name)) own.push_back(line.substr(name.size()));
          }
          EXPECT_EQ(own, (Lines{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}));
        }
      });
}

TEST(AHistory, CanBeReadWhileItIsWritten) {
  History history;
  std::jthread writer([&] {
    for (int i = 0; i < 500; ++i) history.add(std::to_string(i));
  });
  for (std::size_t before = 0; before < 500;) {
    const auto now = history.lines().size();
    ASSERT_GE(now, before);
    before = now;
  }
}

TEST(AHistory, SaysHowMuchItDidNotKeep) {
  History history;
  for (int i = 0; i < 512; ++i) history.add(std::to_string(i));
  EXPECT_EQ(history.lines().size(), 500u);
  EXPECT_TRUE(history.text().ends_with("500. 499\n(... and 12 more)\n"));
}

TEST(AHistory, IsShownWithAllOthersThatAreAlive) {
  History outer;
  outer.add("outer");
  {
    History inner;
    inner.add("inner");
    EXPECT_EQ(History::text_of_all(), "1. outer\n1. inner\n");
  }
  EXPECT_EQ(History::text_of_all(), "1. outer\n");
}

}  // namespace
