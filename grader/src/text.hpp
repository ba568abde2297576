// Small things done to text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace grader {

std::string_view trimmed(std::string_view text);
std::vector<std::string_view> split_lines(std::string_view text);

// How many columns a terminal gives the text: UTF-8, one column for each code point.
std::size_t columns(std::string_view text);

// At most `width` columns; a text that is longer ends in "…".
std::string clipped(std::string_view text, std::size_t width);

// Filled to `width` with spaces on the right; clipped when it is longer.
std::string padded(std::string_view text, std::size_t width);

// Words put on lines of at most `width` columns; a word that is longer gets its own line, whole.
// Each line after the first starts with `hanging` spaces.
std::string filled(std::string_view text, std::size_t width, std::size_t hanging = 0);

// Each line that is not empty, with `spaces` in front.
std::string indented(std::string_view text, std::size_t spaces);

// Without what could move a terminal's cursor or fake the grader's own lines: control characters
// but line breaks are shown as "?", tabs become spaces, and broken UTF-8 too becomes "?".
std::string printable(std::string_view text);

// "1 test", "3 tests".
std::string counted(long count, std::string_view noun);

// "Basic.ASecondReceiveReturnsNulloptAtOnce" -> "a second receive returns nullopt at once".
std::string as_sentence(std::string_view test_name);

// "Basic" of "Basic.ASecondReceive".
std::string_view suite_of(std::string_view test_name);

}  // namespace grader
