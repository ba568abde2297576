#include "figures.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <optional>
#include <string_view>

#include "svg.hpp"
#include "text.hpp"

namespace grader {
namespace {

constexpr std::size_t most_charts = 8;
constexpr std::size_t most_lines = 6;
constexpr std::size_t most_points = 4000;
constexpr std::size_t most_values = 40;

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = text.find(at);
    if (const auto part = trimmed(text.substr(0, end)); !part.empty()) parts.push_back(part);
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stopped != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

void add_line(std::vector<Chart>& charts, const std::vector<std::string_view>& parts,
              std::string_view points) {
  const std::string title(parts[1]);
  const std::string axis(parts[2]);
  auto chart = std::ranges::find_if(
      charts, [&](const Chart& other) { return other.title == title && other.axis == axis; });
  if (chart == charts.end()) {
    if (charts.size() == most_charts) return;
    charts.push_back({title, axis, {}});
    chart = std::prev(charts.end());
  }
  if (chart->lines.size() == most_lines) return;
  Line line{std::string(parts[3]), {}};
  for (const auto point : split(points, ' ')) {
    const auto colon = point.find(':');
    if (colon == std::string_view::npos || line.points.size() == most_points) continue;
    const auto x = number(point.substr(0, colon));
    const auto y = number(point.substr(colon + 1));
    if (x && y && *x >= 0 && *y >= 0) line.points.emplace_back(*x, *y);
  }
  if (!line.points.empty()) chart->lines.push_back(std::move(line));
}

// The next round number: 1, 2 or 5 times a power of ten.
double rounded_up(double value) {
  if (value <= 0) return 1;
  const double power = std::pow(10.0, std::floor(std::log10(value)));
  for (const double step : {1.0, 2.0, 5.0}) {
    if (value <= step * power) return step * power;
  }
  return 10 * power;
}

constexpr int page = 720;
constexpr int left_margin = 70;
constexpr int right_margin = 40;
constexpr int plot_height = 200;
constexpr int chart_height = plot_height + 90;
constexpr std::array<std::string_view, most_lines> colours = {"#1b7f5c", "#b8433a", "#3a6fb8",
                                                              "#8a6d1f", "#7a4fa3", "#666666"};

// One chart, its frame's upper edge at `top`.
std::string drawn(const Chart& chart, int top) {
  double most_x = 0;
  double most_y = 0;
  for (const auto& line : chart.lines) {
    for (const auto& [x, y] : line.points) {
      most_x = std::max(most_x, x);
      most_y = std::max(most_y, y);
    }
  }
  if (most_x <= 0) most_x = 1;
  most_y = rounded_up(most_y);
  const int width = page - left_margin - right_margin;
  const int bottom = top + plot_height;
  std::string body = fmt::format("<text x='12' y='{}' font-weight='bold'>{}</text>\n", top - 12,
                                 svg_escaped(chart.title));
  for (int i = 0; i <= 4; ++i) {
    const int y = bottom - plot_height * i / 4;
    body += fmt::format(
        "<line x1='{}' x2='{}' y1='{}' y2='{}' stroke='#dddddd'/>"
        "<text x='{}' y='{}' text-anchor='end'>{:.3g}</text>\n",
        left_margin, page - right_margin, y, y, left_margin - 8, y + 4, most_y * i / 4);
    body += fmt::format("<text x='{}' y='{}' text-anchor='middle'>{:.3g}{}</text>\n",
                        left_margin + width * i / 4, bottom + 18, most_x * i / 4,
                        i == 4 ? " " + svg_escaped(chart.axis) : "");
  }
  for (std::size_t i = 0; i < chart.lines.size(); ++i) {
    const auto& line = chart.lines[i];
    std::string points;
    for (const auto& [x, y] : line.points) {
      points += fmt::format("{:.1f},{:.1f} ", left_margin + width * x / most_x,
                            bottom - plot_height * y / most_y);
    }
    const int key = left_margin + static_cast<int>(i) * 200;
    body += fmt::format(
        "<polyline points='{}' fill='none' stroke='{}' stroke-width='2'/>\n"
        "<rect x='{}' y='{}' width='14' height='4' fill='{}'/><text x='{}' y='{}'>{}</text>\n",
        points, colours.at(i), key, bottom + 36, colours.at(i), key + 20, bottom + 42,
        svg_escaped(line.name));
  }
  return body;
}

}  // namespace

Figures figures_of(const std::vector<TestResult>& tests) {
  Figures figures;
  for (const auto& test : tests) {
    for (const auto& [question, answer] : test.observations) {
      const auto parts = split(question, '|');
      if (parts.size() == 4 && parts.front() == "chart") {
        add_line(figures.charts, parts, answer);
      } else if (figures.values.size() < most_values) {
        figures.values.push_back({printable(question), printable(answer)});
      }
    }
  }
  std::erase_if(figures.charts, [](const Chart& chart) { return chart.lines.empty(); });
  return figures;
}

std::string drawn(const std::vector<Chart>& charts, const std::string& title) {
  std::string body;
  int top = 80;
  for (const auto& chart : charts) {
    body += drawn(chart, top);
    top += chart_height;
  }
  return svg_page(page, top - 20, title, body);
}

}  // namespace grader
