// Pieces that several parts of the report are made of.
#pragma once

#include <string>

#include "predictions.hpp"
#include "screen.hpp"
#include "verdict.hpp"

namespace grader {

// Reports are as wide as this; the left margin is part of it.
inline constexpr std::size_t page_width = 79;

std::string_view word_for(Mark mark);  // at most six letters
Tone tone_of(Mark mark);

// "plain tests", "under ThreadSanitizer"…: how a flavour is called in a sentence.
std::string_view spoken(Flavour flavour);

// One finding: the test as a sentence, what happened, where, and the start of the evidence.
// `which` is what make needs to know to replay a schedule: "TASK=4".
std::string shown(const Finding& finding, std::string_view which, const Paint& paint);

// How the predictions of a task came out: a line or two, and the first that did not come true.
std::string shown_in_short(const PredictionsReport& report, int task, const Paint& paint);

// All of them, with the swim lanes of each scene.
std::string shown_in_full(const PredictionsReport& report, const Paint& paint);

}  // namespace grader
