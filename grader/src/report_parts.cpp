#include "report_parts.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <vector>

#include "text.hpp"

namespace grader {
namespace {

constexpr std::size_t kMessageLines = 8;
constexpr std::size_t kEvidenceLines = 14;
constexpr std::size_t kStoryLines = 22;

// At most `limit` lines of a text that may be anybody's, clipped and indented. A story is read from
// its end: that is where it breaks.
std::string excerpt(std::string_view text, std::size_t limit, std::size_t indent, bool from_end) {
  const auto clean = printable(text);
  auto lines = split_lines(clean);
  while (!lines.empty() && trimmed(lines.back()).empty()) lines.pop_back();
  const auto left_out = lines.size() > limit ? lines.size() - limit : 0;
  if (from_end) {
    lines.erase(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(left_out));
  } else {
    lines.resize(lines.size() - left_out);
  }
  const std::string margin(indent, ' ');
  const auto gap =
      fmt::format("{}… {}\n", margin, counted(static_cast<long>(left_out), "more line"));
  std::string out = from_end && left_out > 0 ? gap : "";
  for (const auto line : lines) out += margin + clipped(line, page_width - indent) + "\n";
  if (!from_end && left_out > 0) out += gap;
  return out;
}

}  // namespace

std::string_view word_for(Mark mark) {
  switch (mark) {
    case Mark::none:
      return "-";
    case Mark::ok:
      return "ok";
    case Mark::build:
      return "build";
    case Mark::refused:
      return "refused";
    case Mark::fail:
      return "FAIL";
    case Mark::race:
      return "RACE";
    case Mark::memory:
      return "MEMORY";
    case Mark::crash:
      return "CRASH";
    case Mark::hang:
      return "HANG";
    case Mark::cheat:
      return "VOID";
    case Mark::off:
      return "off";
    case Mark::unclear:
      return "busy";
  }
  return "";
}

Tone tone_of(Mark mark) {
  switch (mark) {
    case Mark::ok:
      return Tone::good;
    case Mark::none:
    case Mark::off:
      return Tone::quiet;
    case Mark::unclear:
      return Tone::warn;
    default:
      return Tone::bad;
  }
}

std::string_view spoken(Flavour flavour) {
  switch (flavour) {
    case Flavour::plain:
      return "plain run";
    case Flavour::thread:
      return "under ThreadSanitizer";
    case Flavour::address:
      return "under AddressSanitizer";
    case Flavour::explored:
      return "in the schedule explorer";
  }
  return "";
}

std::string shown(const Finding& finding, int task, const Paint& paint) {
  std::string out;
  const bool story = finding.flavour == Flavour::explored;
  if (!finding.test.empty()) {
    const auto where = fmt::format("{}, {}", suite_of(finding.test), spoken(finding.flavour));
    const auto sentence = as_sentence(finding.test);
    const auto room = page_width - 4;
    if (columns(sentence) + columns(where) + 2 <= room) {
      out += fmt::format("    {}{}\n", paint(Tone::strong, padded(sentence, room - columns(where))),
                         paint(Tone::quiet, where));
    } else {
      out += indented(paint(Tone::strong, filled(sentence, room)), 4);
      out += fmt::format("    {}\n", paint(Tone::quiet, where));
    }
  } else if (finding.flavour != Flavour::plain) {
    out += fmt::format("    {}\n", paint(Tone::quiet, spoken(finding.flavour)));
  }
  out += paint(Tone::bad, "");
  if (!finding.headline.empty()) out += excerpt(finding.headline, kMessageLines, 6, false);
  if (!finding.place.empty()) out += fmt::format("      {}\n", paint(Tone::accent, finding.place));
  // A headline taken from the evidence is not shown twice.
  if (!finding.detail.empty() && trimmed(finding.detail) != trimmed(finding.headline)) {
    out += "\n" + excerpt(finding.detail, story ? kStoryLines : kEvidenceLines, 6, story);
  }
  if (!finding.token.empty()) {
    out += fmt::format("      {}\n", paint(Tone::accent, fmt::format("make replay TASK={} TOKEN={}",
                                                                     task, finding.token)));
  }
  return out;
}

}  // namespace grader
