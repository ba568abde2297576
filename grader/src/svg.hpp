// The little of SVG that charts are made of. Also used by solutions/bench.
#pragma once

#include <fmt/format.h>
#include <string>
#include <string_view>

namespace grader {

// Text as it may stand between tags and in attributes.
inline std::string svg_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// A white page with a title in its first 40 rows and `body`, SVG elements, below.
inline std::string svg_page(int width, int height, std::string_view title, std::string_view body) {
  return fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' width='{}' height='{}' font-family='sans-serif' "
      "font-size='13'>\n<rect width='100%' height='100%' fill='white'/>\n"
      "<text x='12' y='24' font-size='16'>{}</text>\n{}</svg>\n",
      width, height, svg_escaped(title), body);
}

}  // namespace grader
