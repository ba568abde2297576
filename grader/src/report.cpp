#include "report.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "report_parts.hpp"
#include "text.hpp"

namespace grader {
namespace {

constexpr std::size_t kTitleWidth = 29;

// The cells of a row: wide enough for their words, 79 columns in all.
struct Column {
  std::string_view name;
  std::size_t width;
};
constexpr std::array<Column, 6> kColumns = {
    {{"plain", 7}, {"races", 7}, {"memory", 7}, {"schedules", 10}, {"own test", 9}, {"score", 5}}};

std::string rule(const Paint& paint) {
  std::string line;
  for (std::size_t i = 0; i < page_width - 2; ++i) line += "─";
  return "  " + paint(Tone::quiet, line) + "\n";
}

std::string own_test_word(const TaskReport& task) {
  switch (task.own_test.verdict) {
    case OwnTest::not_tried:
      return "-";
    case OwnTest::not_written:
      return "open";
    case OwnTest::inconclusive:
      return "busy";
    case OwnTest::unqualified:
      return "not yet";
    case OwnTest::qualified:
      return "ok";
  }
  return "";
}

Tone own_test_tone(OwnTest verdict) {
  if (verdict == OwnTest::qualified) return Tone::good;
  if (verdict == OwnTest::unqualified || verdict == OwnTest::inconclusive) return Tone::warn;
  return Tone::quiet;
}

std::string points_cell(const TaskReport& task, const Paint& paint) {
  const auto text = task.score.settled ? fmt::format("{}/{}", task.score.points, max_points)
                                       : fmt::format("{}+/{}", task.score.points, max_points);
  const std::array<Tone, 4> tones = {Tone::quiet, Tone::warn, Tone::plain, Tone::good};
  return paint(tones.at(static_cast<std::size_t>(task.score.points)), text);
}

std::string row(const TaskReport& task, const Paint& paint) {
  const bool waiting = task.flavours.empty();
  std::string line = fmt::format("  {:>2}  ", task.task->number);
  const auto title = padded(task.task->title, kTitleWidth);
  line += waiting ? paint(Tone::quiet, title) : title;
  line += ' ';
  if (waiting) {
    const std::size_t width = kColumns[0].width + kColumns[1].width + kColumns[2].width +
                              kColumns[3].width + kColumns[4].width;
    const auto why =
        task.evidence.standing == Standing::missing ? "not in this submission" : "not started";
    return line + paint(Tone::quiet, padded(why, width)) + points_cell(task, paint) + "\n";
  }
  for (std::size_t i = 0; i < task.flavours.size(); ++i) {
    const auto mark = mark_of(task.flavours[i]);
    line += paint(tone_of(mark), padded(word_for(mark), kColumns.at(i).width));
  }
  for (auto i = task.flavours.size(); i < std::size(all_flavours); ++i) {
    line += paint(Tone::quiet, padded("-", kColumns.at(i).width));  // nothing to explore
  }
  line +=
      paint(own_test_tone(task.own_test.verdict), padded(own_test_word(task), kColumns[4].width));
  return line + points_cell(task, paint) + "\n";
}

// The other tests that fail, each once, by their sentences.
std::string also_failing(const TaskReport& task, const Finding& shown_one, const Paint& paint) {
  constexpr std::size_t kShown = 4;
  std::vector<std::string> others;
  for (const auto& finding : task.findings) {
    const auto sentence = printable(as_sentence(finding.test));
    if (finding.test.empty() || finding.test == shown_one.test ||
        std::ranges::find(others, sentence) != others.end()) {
      continue;
    }
    others.push_back(sentence);
  }
  if (others.empty()) return {};
  std::string out = "\n    Also failing:\n";
  for (std::size_t i = 0; i < std::min(kShown, others.size()); ++i) {
    out += fmt::format("      {}\n", paint(Tone::quiet, clipped("- " + others[i], page_width - 6)));
  }
  if (others.size() > kShown) {
    out += fmt::format("      {}\n",
                       paint(Tone::quiet, fmt::format("and {} more", others.size() - kShown)));
  }
  return out;
}

std::string how_far(const TaskReport& task) {
  const auto& plain = task.flavours.front();
  const auto count = count_tests(plain);
  if (!plain.build.ok || count.all == 0) return {};
  if (count.passed == count.all) return fmt::format("All {} tests pass in a plain run.", count.all);
  return fmt::format("{} of {} tests pass.", count.passed, count.all);
}

std::string failing_details(const TaskReport& task, const Paint& paint) {
  std::string out;
  if (const auto far = how_far(task); !far.empty()) out += fmt::format("    {}\n\n", far);
  if (task.findings.empty()) return out;
  const auto& first = task.findings.front();
  out += shown(first, fmt::format("TASK={}", task.task->number), paint);
  out += also_failing(task, first, paint);
  return out;
}

std::string own_test_details(const TaskReport& task, const Paint& paint) {
  const auto& own = task.own_test;
  std::string out;
  const auto sentence = [&](const std::string& text) {
    return indented(filled(printable(text), page_width - 4), 4);
  };
  if (own.verdict == OwnTest::qualified) {
    out += sentence(fmt::format(
        "Your test broke {} with {}, in {} of {} runs, and passed {} runs on right versions.",
        own.version, own.how, own.runs.broken, own.runs.runs, own.right_runs));
    if (!own.flaw.empty()) out += paint(Tone::quiet, sentence(own.flaw));
  } else if (own.verdict == OwnTest::unqualified || own.verdict == OwnTest::inconclusive) {
    out += sentence(fmt::format("The third point: {}.", own.why));
    if (!own.detail.empty()) out += indented(printable(own.detail), 6);
  }
  return out;
}

std::string used_headers(const TaskReport& task) {
  std::string out;
  for (const auto& use : task.uses) {
    out += fmt::format("    Graded with {} header of task {}{}.\n",
                       use.learners ? "your" : "the workbook's", use.task,
                       use.learners ? "" : ", since yours does not pass yet");
  }
  return out;
}

std::string heading(const TaskReport& task, const Paint& paint) {
  const auto points = fmt::format("{} of {}", task.score.points, max_points);
  const auto title = fmt::format("{} · {}", task.task->number, task.task->title);
  return fmt::format("  {}{}\n", paint(Tone::strong, padded(title, page_width - 2 - points.size())),
                     paint(Tone::quiet, points));
}

const TaskReport* first_with(const GradeReport& report, auto predicate) {
  const auto found = std::ranges::find_if(report.tasks, predicate);
  return found == report.tasks.end() ? nullptr : &*found;
}

// One thing to do next: the most useful, not the list of all.
std::string next_step(const GradeReport& report) {
  const auto failing = [](const TaskReport& task) {
    return !task.flavours.empty() && task.score.settled && task.score.points == 0;
  };
  if (const auto* task = first_with(report, failing)) {
    const int number = task->task->number;
    return fmt::format(
        "Mend task {0}, then: make grade TASK={0}\nStuck? make hint TASK={0} shows "
        "one hint and writes it down.",
        number);
  }
  if (const auto* task = first_with(report, [](const auto& t) { return !t.score.settled; })) {
    return fmt::format(
        "Task {0} has no verdict yet. When the machine is quieter: make grade "
        "TASK={0}",
        task->task->number);
  }
  if (const auto* task = first_with(report, [](const auto& t) { return t.flavours.empty(); })) {
    return fmt::format("Task {} is next: read {}/{}/README.md, then fill in {}.",
                       task->task->number, printable(report.submission.name), task->task->folder,
                       task->task->header);
  }
  if (const auto* task = first_with(report, [](const auto& t) { return t.score.points == 2; })) {
    return fmt::format(
        "For the third point of task {}: make {}/{}/my_test.cpp break a version "
        "that looks right and is not.",
        task->task->number, printable(report.submission.name), task->task->folder);
  }
  return {};
}

}  // namespace

std::string opening(const Submission& submission, std::size_t tasks, const std::string& toolchain,
                    const Paint& paint) {
  return fmt::format(
      "\n  {}\n\n",
      paint(Tone::strong, clipped(fmt::format("Grading {} of {} with {}",
                                              counted(static_cast<long>(tasks), "task"),
                                              printable(submission.name), toolchain),
                                  page_width - 2)));
}

std::string plain_line(const TaskReport& task, const Paint& paint) {
  const auto& plain = task.flavours.front();
  const auto mark = mark_of(plain);
  const auto count = count_tests(plain);
  std::string said;
  if (mark == Mark::ok) {
    said = fmt::format("plain run: {} pass", counted(count.all, "test"));
  } else if (!plain.build.ok) {
    said = mark == Mark::build ? "does not compile yet" : std::string(word_for(mark));
  } else {
    said = fmt::format("plain run: {} of {} tests pass", count.passed, count.all);
  }
  return fmt::format("  {:>2}  {} {}\n", task.task->number, padded(task.task->title, kTitleWidth),
                     paint(tone_of(mark), said));
}

std::string table(const GradeReport& report, const Paint& paint) {
  std::string head = "   #  " + padded("task", kTitleWidth + 1);
  for (const auto& column : kColumns) head += padded(column.name, column.width);
  std::string out = paint(Tone::quiet, head) + "\n";
  for (const auto& task : report.tasks) out += row(task, paint);
  return out;
}

std::string details(const TaskReport& task, const Submission& submission, const Paint& paint) {
  if (task.flavours.empty()) return {};
  std::string body = used_headers(task);
  if (task.evidence.standing == Standing::passed) {
    if (task.score.points < max_points || !submission.is_solutions) {
      body += own_test_details(task, paint);
    }
    if (task.score.points == 1) {
      body += indented(filled(fmt::format("One point: {}.", task.score.why), page_width - 4), 4);
    }
  } else if (task.evidence.standing == Standing::inconclusive) {
    body += indented(filled(fmt::format("No verdict: {}.", task.score.why), page_width - 4), 4);
  } else {
    body += failing_details(task, paint);
  }
  if (!submission.is_solutions || !task.predictions.problem.empty()) {
    body += shown_in_short(task.predictions, task.task->number, paint);
  }
  return body.empty() ? body : heading(task, paint) + body;
}

std::string closing(const GradeReport& report, const Paint& paint) {
  std::string out = rule(paint);
  out += fmt::format(
      "  {} {}\n",
      paint(Tone::strong, fmt::format("{}{} of {} points", report.settled ? "" : "at least ",
                                      report.total, report.out_of)),
      paint(Tone::quiet, fmt::format("({:.1f} s)", report.seconds)));
  if (report.whole) {
    const auto said = band(report.total, report.out_of);
    out += indented(filled(said.meaning, page_width - 2), 2);
    out += indented(filled(said.advice, page_width - 2), 2);
  }
  if (const auto next = next_step(report); !next.empty() && !report.submission.is_solutions) {
    out += "\n";
    for (const auto line : split_lines(next)) {
      out += indented(paint(Tone::accent, filled(line, page_width - 2)), 2);
    }
  }
  return out;
}

std::string whole_report(const GradeReport& report, const Paint& paint) {
  std::string out = "\n" + table(report, paint) + "\n";
  for (const auto& task : report.tasks) {
    if (const auto text = details(task, report.submission, paint); !text.empty()) {
      out += text + "\n";
    }
  }
  for (const auto& notice : report.notices) {
    out += paint(Tone::warn, indented(filled("Note: " + printable(notice), page_width - 2, 6), 2));
  }
  if (!report.notices.empty()) out += "\n";
  return out + closing(report, paint);
}

}  // namespace grader
