#pragma once

#include <algorithm>
#include <cstddef>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace grader {

enum class TokenKind {
  identifier,  // keywords too
  number,
  text,  // string and character literals, raw ones too, with prefix and quotes
  punctuator,
  directive,  // a whole preprocessor line, continuation lines joined, comments out: "#define X 1"
};

struct Token {
  TokenKind kind;
  std::string text;
  int line = 1;  // where it starts, from 1
};

// The tokens of a C++ source: comments and white space dropped, lines joined at backslashes.
// Never fails: an unterminated literal or comment ends with the text.
std::vector<Token> tokenize(std::string_view source);

// For rules that read tokens by their place; a place behind the end has no text.
using Tokens = std::span<const Token>;
bool is(Tokens tokens, std::size_t at, std::string_view text);
bool is_word(Tokens tokens, std::size_t at);

// How far rules look for what belongs together.
inline constexpr std::size_t farthest_bracket = 1'000;

// The index behind the bracket that closes the one at `open`, or behind the last token when none
// does; `>>` closes two lists of template arguments, and a `<` inside parentheses compares.
std::size_t behind(Tokens tokens, std::size_t open, std::string_view left, std::string_view right);

template <std::ranges::range Words>
bool one_of(std::string_view word, const Words& words) {
  return std::ranges::find(words, word) != std::ranges::end(words);
}

}  // namespace grader
