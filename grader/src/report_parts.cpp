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

// "   12 | code", as compilers show it.
bool is_code(std::string_view line) {
  const auto bar = line.find('|');
  return bar != std::string_view::npos &&
         line.substr(0, bar).find_first_not_of(" 0123456789") == std::string_view::npos;
}

// The same for prose, whose lines are wrapped instead of clipped.
std::string wrapped_excerpt(std::string_view text, std::size_t limit, std::size_t indent) {
  const auto clean = printable(text);
  std::string wrapped;
  for (const auto line : split_lines(clean)) {
    if (is_code(line)) {
      wrapped += std::string(line) + "\n";
      continue;
    }
    const auto margin = line.size() - trimmed(line).size();
    const auto room = page_width - indent - std::min(margin, page_width / 2);
    wrapped += indented(filled(line, room), margin);
  }
  return excerpt(wrapped, limit, indent, false);
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
      return "denied";
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

namespace {

std::string verdict_of(const Prediction& prediction, const Paint& paint) {
  const auto said = [&](std::string_view label, std::string_view what, Tone tone) {
    const auto line = fmt::format("{:<14} {}", label, printable(what));
    return indented(paint(tone, filled(line, page_width - 6, 15)), 6);
  };
  std::string out = indented(filled(prediction.question, page_width - 4), 4);
  if (!prediction.answered()) return out + said("not answered:", "make a guess first", Tone::quiet);
  if (prediction.came_true()) return out + said("as predicted:", prediction.happened, Tone::good);
  out += said("predicted:", prediction.predicted, Tone::plain);
  if (!prediction.happened.empty()) {
    return out + said("what happened:", prediction.happened, Tone::warn);
  }
  return out + said("what happened:", prediction.trouble, Tone::bad);
}

std::string lanes_of(const PredictionsReport& report, const std::string& test) {
  const auto found =
      std::ranges::find(report.lanes, test, &std::pair<std::string, std::string>::first);
  if (found == report.lanes.end()) return {};
  // The first line of a story says what failed: here nothing needs to have.
  constexpr std::string_view nothing = "No failure\n";
  return found->second.starts_with(nothing) ? found->second.substr(nothing.size()) : found->second;
}

}  // namespace

std::string shown_in_short(const PredictionsReport& report, int task, const Paint& paint) {
  if (!report.problem.empty()) {
    const auto problem = "Predictions: " + printable(report.problem);
    return indented(paint(Tone::warn, filled(problem, page_width - 4)), 4);
  }
  if (!report.any_answered()) return {};
  const auto& all = report.predictions;
  const auto right = std::ranges::count_if(all, &Prediction::came_true);
  const auto open = std::ranges::count_if(all, [](const auto& p) { return !p.answered(); });
  auto line = fmt::format("Predictions: {} of {} came true", right, all.size());
  if (open > 0) line += fmt::format(", {} not answered", open);
  std::string out = indented(line + ".", 4);
  const auto wrong =
      std::ranges::find_if(all, [](const auto& p) { return p.answered() && !p.came_true(); });
  if (wrong == all.end()) return out;
  out += "\n" + indented(filled(wrong->scene, page_width - 4), 4) + verdict_of(*wrong, paint);
  out += indented(
      paint(Tone::accent, fmt::format("make predict TASK={} plays it step by step", task)), 6);
  return out;
}

std::string shown_in_full(const PredictionsReport& report, const Paint& paint) {
  if (!report.problem.empty()) {
    return indented(filled(printable(report.problem), page_width - 2), 2);
  }
  std::string out;
  std::string test;
  for (std::size_t i = 0; i < report.predictions.size(); ++i) {
    const auto& prediction = report.predictions[i];
    if (prediction.test != test) {
      out +=
          "\n" + indented(paint(Tone::strong, filled(prediction.scene, page_width - 2)), 2) + "\n";
    }
    test = prediction.test;
    out += verdict_of(prediction, paint);
    const bool last = i + 1 == report.predictions.size() || report.predictions[i + 1].test != test;
    if (last) out += indented(printable(lanes_of(report, test)), 4);
  }
  return out;
}

std::string shown(const Finding& finding, std::string_view which, const Paint& paint) {
  std::string out;
  const bool story = finding.flavour == Flavour::explored;
  if (!finding.test.empty()) {
    const auto where =
        fmt::format("{}, {}", printable(suite_of(finding.test)), spoken(finding.flavour));
    const auto sentence = printable(as_sentence(finding.test));
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
  if (!finding.headline.empty()) out += wrapped_excerpt(finding.headline, kMessageLines, 6);
  if (!finding.place.empty()) {
    out += fmt::format("      {}\n", paint(Tone::accent, printable(finding.place)));
  }
  // A headline taken from the evidence is not shown twice.
  if (!finding.detail.empty() && trimmed(finding.detail) != trimmed(finding.headline)) {
    const bool compiler_speaks = finding.test.empty();
    out += "\n" + (compiler_speaks
                       ? wrapped_excerpt(finding.detail, kEvidenceLines, 6)
                       : excerpt(finding.detail, story ? kStoryLines : kEvidenceLines, 6, story));
  }
  if (!finding.token.empty()) {
    const auto again = fmt::format("make replay {} TOKEN={}", which, printable(finding.token));
    out += fmt::format("      {}\n", paint(Tone::accent, again));
  }
  return out;
}

}  // namespace grader
