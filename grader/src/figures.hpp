// What the tests of a measure.cpp observed: figures to print and charts to draw. A test says
//
//   workbook::observed("items per second, this one", "498");
//   workbook::observed("chart | resident memory, MiB | seconds | this one", "0:4.1 0.5:4.2 1:4.2");
//
// Charts with the same title and axis are drawn as one, with a line for each last part.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model.hpp"

namespace grader {

struct Line {
  std::string name;
  std::vector<std::pair<double, double>> points;
};

struct Chart {
  std::string title;  // what is drawn upwards
  std::string axis;   // what is drawn to the right
  std::vector<Line> lines;
};

struct Figures {
  std::vector<Observation> values;
  std::vector<Chart> charts;
};

// Believes nothing: points that are no finite numbers are left out, and lines and points beyond
// what a chart can show.
Figures figures_of(const std::vector<TestResult>& tests);

// One SVG page with all charts below each other.
std::string drawn(const std::vector<Chart>& charts, const std::string& title);

}  // namespace grader
