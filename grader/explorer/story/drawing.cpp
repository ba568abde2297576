#include "story/drawing.hpp"

#include <algorithm>
#include <cstdio>

#include "story/entries.hpp"
#include "story/words.hpp"

namespace explorer {
namespace {

constexpr int lane_width = 380, line_height = 17, margin = 20, box_padding = 7;
constexpr std::size_t characters = 52;  // that fit into a lane

std::string escaped(const std::string& text) {
  std::string result;
  for (char c : text) {
    switch (c) {
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '&':
        result += "&amp;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return result;
}

std::string shortened(std::string text, std::size_t most) {
  if (text.size() <= most) return text;
  text.resize(most - 1);
  while (!text.empty() && (text.back() & 0xc0) == 0x80) text.pop_back();
  return text + "…";
}

std::string element(int x, int y, const char* style, const std::string& text) {
  return "<text x=\"" + std::to_string(x) + "\" y=\"" + std::to_string(y) + "\" class=\"" + style +
         "\">" + escaped(text) + "</text>\n";
}

std::string lane_name(int thread) {
  return thread == 0 ? "main thread" : "thread " + std::to_string(thread);
}

constexpr const char* style = R"(<style>
text { font: 12px ui-monospace, Menlo, Consolas, monospace; fill: #1b1f24 }
.title { font: 600 15px system-ui, sans-serif } .lane { font: 600 13px system-ui, sans-serif }
.place { fill: #57606a } .source { fill: #0550ae } .note { fill: #8a6100; font-style: italic }
.box { fill: #f6f8fa; stroke: #d0d7de } .last { fill: #fff1f0; stroke: #cf222e }
.rail { stroke: #d0d7de; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) { .page { fill: #0d1117 } text { fill: #e6edf3 } .place { fill: #8b949e }
 .source { fill: #79c0ff } .box { fill: #161b22; stroke: #30363d } .last { fill: #3c1618; stroke: #f85149 } }
</style>
)";

std::string json(const std::string& text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (c == '\n')
      result += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20)
      result += ' ';
    else
      result += c;
  }
  return result + "\"";
}

}  // namespace

std::string draw_svg(const Scene& scene) {
  std::vector<int> threads = shown_threads(scene);
  std::vector<Entry> entries = entries_of(scene);
  int width = 2 * margin + static_cast<int>(threads.size()) * lane_width;
  std::string body;
  int y = margin + 8;
  std::size_t per_line = static_cast<std::size_t>(width / 8);
  for (std::size_t at = 0; at < scene.headline.size(); at += per_line, y += 20)
    body += element(margin, y, "title", scene.headline.substr(at, per_line));
  y += 10;
  for (std::size_t i = 0; i < threads.size(); ++i)
    body += element(margin + static_cast<int>(i) * lane_width, y, "lane", lane_name(threads[i]));
  int top = y + 8;
  y += 16;
  std::string boxes;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Entry& entry = entries[i];
    int lane =
        static_cast<int>(std::find(threads.begin(), threads.end(), entry.thread) - threads.begin());
    int x = margin + lane * lane_width;
    if (entry.clock_jump) {
      y += line_height;
      boxes += element(margin, y, "note", "the clock moves on " + duration(entry.clock_jump));
      y += 6;
    }
    int lines = static_cast<int>(entry.actions.size()) + (entry.place ? 2 : 0);
    int height = lines * line_height + 2 * box_padding;
    boxes += "<rect x=\"" + std::to_string(x) + "\" y=\"" + std::to_string(y) + "\" width=\"" +
             std::to_string(lane_width - 16) + "\" height=\"" + std::to_string(height) +
             "\" rx=\"5\" class=\"" + (i + 1 == entries.size() ? "last" : "box") + "\"/>\n";
    int text_y = y + box_padding + 12;
    auto add = [&](const char* kind, const std::string& text) {
      boxes += element(x + 8, text_y, kind, shortened(text, characters));
      text_y += line_height;
    };
    if (entry.place) {
      add("place", entry.place.brief());
      add("source", entry.place.text);
    }
    for (const std::string& action : entry.actions) add("action", action);
    y += height + 6;
  }
  int bottom = y;
  y += line_height + 4;
  for (std::size_t i = 0; i < scene.endings.size(); ++i, y += line_height)
    boxes += element(margin, y, "place", lane_name(static_cast<int>(i)) + " " + scene.endings[i]);
  std::string rails;
  for (std::size_t i = 0; i < threads.size(); ++i) {
    std::string x = std::to_string(margin + static_cast<int>(i) * lane_width + lane_width / 2 - 8);
    rails += "<line x1=\"" + x + "\" x2=\"" + x + "\" y1=\"" + std::to_string(top) + "\" y2=\"" +
             std::to_string(bottom) + "\" class=\"rail\"/>\n";
  }
  char open[200];
  std::snprintf(open, sizeof open,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 "
                "0 %d %d\">\n",
                width, y + margin, width, y + margin);
  return open + std::string(style) +
         "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\" class=\"page\"/>\n" + body + rails +
         boxes + "</svg>\n";
}

std::string write_chrome_trace(const Scene& scene) {
  std::string text = "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"test\":" + json(scene.test) +
                     ",\"headline\":" + json(scene.headline) + "},\"traceEvents\":[\n";
  for (std::size_t i = 0; i < scene.endings.size(); ++i)
    text += "{\"ph\":\"M\",\"pid\":1,\"tid\":" + std::to_string(i) +
            ",\"name\":\"thread_name\",\"args\":{\"name\":" + json(lane_name(static_cast<int>(i))) +
            "}},\n";
  // A step has no duration of its own: each gets ten units, in the order in which they happened.
  long at = 0;
  int last_thread = 0;
  for (const Step& step : scene.steps) {
    const Event& event = *step.event;
    last_thread = event.thread;
    text += "{\"ph\":\"X\",\"pid\":1,\"tid\":" + std::to_string(event.thread) +
            ",\"ts\":" + std::to_string(at * 10) + ",\"dur\":9,\"name\":" + json(step.words) +
            ",\"args\":{\"step\":" + std::to_string(event.step) +
            ",\"clock\":" + json(duration(event.time)) +
            ",\"at\":" + json(step.place ? step.place.brief() : "") +
            ",\"source\":" + json(step.place.text) + "}},\n";
    ++at;
  }
  text += "{\"ph\":\"i\",\"s\":\"g\",\"pid\":1,\"tid\":" + std::to_string(last_thread) +
          ",\"ts\":" + std::to_string(at * 10) + ",\"name\":" + json(scene.headline) + "}\n]}\n";
  return text;
}

}  // namespace explorer
