#include "figures.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace grader {
namespace {

std::vector<TestResult> observed(std::vector<Observation> observations) {
  TestResult test;
  test.name = "Measured.X";
  test.observations = std::move(observations);
  return {test};
}

TEST(Figures, WhatIsNoChartIsAValue) {
  const auto figures = figures_of(observed({{"items per second", "498"}}));
  ASSERT_EQ(figures.values.size(), 1u);
  EXPECT_EQ(figures.values[0].question, "items per second");
  EXPECT_EQ(figures.values[0].answer, "498");
  EXPECT_TRUE(figures.charts.empty());
}

TEST(Figures, LinesWithOneTitleAreOneChart) {
  const auto figures = figures_of(observed({{"chart | memory, MiB | s | yours", "0:1 0.5:2"},
                                            {"chart | memory, MiB | s | theirs", "0:1 1:9"},
                                            {"chart | values | s | yours", "0:0 1:100"}}));
  ASSERT_EQ(figures.charts.size(), 2u);
  ASSERT_EQ(figures.charts[0].lines.size(), 2u);
  EXPECT_EQ(figures.charts[0].lines[1].name, "theirs");
  EXPECT_EQ(figures.charts[0].lines[1].points.back(), std::pair(1.0, 9.0));
  EXPECT_TRUE(figures.values.empty());
}

TEST(Figures, PointsThatAreNoNumbersAreLeftOut) {
  const auto figures =
      figures_of(observed({{"chart | m | s | yours", "0:1 nan:2 1:inf 2 3:x :4 -1:5 6:-7 8:9"},
                           {"chart | n | s | yours", "nothing"}}));
  ASSERT_EQ(figures.charts.size(), 1u);
  EXPECT_EQ(figures.charts[0].lines[0].points,
            (std::vector<std::pair<double, double>>{{0, 1}, {8, 9}}));
}

TEST(Figures, TextsOfAProgramDoNotBecomeMarkup) {
  const auto figures = figures_of(observed({{"chart | <m> | s | <script>'", "0:1 1:2"}}));
  const auto page = drawn(figures.charts, "A & B");
  EXPECT_EQ(page.find("<script>"), std::string::npos);
  EXPECT_NE(page.find("&lt;m&gt;"), std::string::npos);
  EXPECT_NE(page.find("A &amp; B"), std::string::npos);
}

TEST(Figures, AFloodIsCutOff) {
  std::vector<Observation> many;
  for (int i = 0; i < 1000; ++i) {
    const auto number = std::to_string(i);
    many.push_back({"question " + number, "answer"});
    many.push_back({"chart | title " + number + " | s | yours", "0:1"});
  }
  const auto figures = figures_of(observed(many));
  EXPECT_LE(figures.values.size(), 100u);
  EXPECT_LE(figures.charts.size(), 20u);
}

}  // namespace
}  // namespace grader
