#pragma once

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

}  // namespace grader
