// What a learner reads: text of at most 80 columns, without colour where there is no terminal.
#pragma once

#include <string>

#include "grading.hpp"
#include "screen.hpp"

namespace grader {

// The first lines: what is graded, with what.
std::string opening(const Submission& submission, std::size_t tasks, const std::string& toolchain,
                    const Paint& paint);

// One line per task as soon as its plain tests are through.
std::string plain_line(const TaskReport& task, const Paint& paint);

// The table of all tasks.
std::string table(const GradeReport& report, const Paint& paint);

// What stands between a task and its points; empty when there is nothing to say.
std::string details(const TaskReport& task, const Submission& submission, const Paint& paint);

// The total, what it says, and what to do next.
std::string closing(const GradeReport& report, const Paint& paint);

// Everything that is shown when the grading is over, in order.
std::string whole_report(const GradeReport& report, const Paint& paint);

}  // namespace grader
