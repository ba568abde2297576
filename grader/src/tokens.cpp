#include "tokens.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace grader {
namespace {

bool starts_identifier(char c) {
  // Bytes of UTF-8 beyond ASCII may be part of an identifier; universal character names begin
  // with a backslash and are left as punctuation.
  return std::isalpha(static_cast<unsigned char>(c)) || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool continues_identifier(char c) {
  return starts_identifier(c) || std::isdigit(static_cast<unsigned char>(c));
}

// Reads a source one logical character at a time: a backslash before a line end joins lines
// (white space between them too, as GCC and Clang do), except inside raw strings.
class Scanner {
 public:
  explicit Scanner(std::string_view source) : source_(source) { join(); }

  bool done() const { return at_ >= source_.size(); }
  int line() const { return line_; }
  char peek() const { return done() ? '\0' : source_[at_]; }
  char peek_next() const {
    Scanner copy = *this;
    copy.take();
    return copy.peek();
  }

  char take() {
    const char c = take_raw();
    join();
    return c;
  }

  char take_raw() {
    if (done()) return '\0';
    const char c = source_[at_++];
    if (c == '\n') ++line_;
    return c;
  }

 private:
  void join() {
    while (at_ < source_.size() && source_[at_] == '\\') {
      std::size_t end = at_ + 1;
      while (end < source_.size() && (source_[end] == ' ' || source_[end] == '\t')) ++end;
      if (end < source_.size() && source_[end] == '\r') ++end;
      if (end >= source_.size() || source_[end] != '\n') return;
      at_ = end + 1;
      ++line_;
    }
  }

  std::string_view source_;
  std::size_t at_ = 0;
  int line_ = 1;
};

class Tokenizer {
 public:
  explicit Tokenizer(std::string_view source) : scan_(source) {}

  std::vector<Token> run() {
    while (!scan_.done()) step();
    return std::move(tokens_);
  }

 private:
  void step() {
    const char c = scan_.peek();
    if (c == '\n') {
      scan_.take();
      line_start_ = true;
    } else if (std::isspace(static_cast<unsigned char>(c))) {
      scan_.take();
    } else if (c == '/' && (scan_.peek_next() == '/' || scan_.peek_next() == '*')) {
      skip_comment();
    } else if (line_start_ && (c == '#' || (c == '%' && scan_.peek_next() == ':'))) {
      directive();
    } else {
      line_start_ = false;
      token();
    }
  }

  void token() {
    const char c = scan_.peek();
    const int line = scan_.line();
    if (c == '"' || c == '\'') return literal("", line);
    if (starts_identifier(c)) return word(line);
    if (std::isdigit(static_cast<unsigned char>(c)) ||
        (c == '.' && std::isdigit(static_cast<unsigned char>(scan_.peek_next())))) {
      return number(line);
    }
    punctuator(line);
  }

  void word(int line) {
    std::string text;
    while (!scan_.done() && continues_identifier(scan_.peek())) text += scan_.take();
    const char next = scan_.peek();
    constexpr std::array<std::string_view, 9> prefixes = {"R",  "L",  "u",  "U",  "u8",
                                                          "LR", "uR", "UR", "u8R"};
    const bool is_prefix = std::ranges::find(prefixes, text) != prefixes.end();
    if (is_prefix && text.back() == 'R' && next == '"') return raw_string(text, line);
    if (is_prefix && text.back() != 'R' && (next == '"' || next == '\'')) {
      return literal(text, line);
    }
    push(TokenKind::identifier, std::move(text), line);
  }

  void number(int line) {
    std::string text;
    while (!scan_.done()) {
      const char c = scan_.peek();
      const bool exponent =
          (c == '+' || c == '-') && !text.empty() && std::string_view("eEpP").contains(text.back());
      const bool separator = c == '\'' && continues_identifier(scan_.peek_next());
      if (!continues_identifier(c) && c != '.' && !exponent && !separator) break;
      text += scan_.take();
    }
    push(TokenKind::number, std::move(text), line);
  }

  void literal(std::string text, int line) {
    const char quote = scan_.take();
    text += quote;
    while (!scan_.done() && scan_.peek() != '\n') {
      const char c = scan_.take();
      text += c;
      if (c == quote) break;
      if (c == '\\' && !scan_.done()) text += scan_.take();
    }
    suffix(text);
    push(TokenKind::text, std::move(text), line);
  }

  void raw_string(std::string text, int line) {
    text += scan_.take_raw();
    std::string delimiter;
    while (!scan_.done() && scan_.peek() != '(' && delimiter.size() < 16) {
      delimiter += scan_.take_raw();
    }
    text += delimiter;
    const std::string end = ")" + delimiter + "\"";
    while (!scan_.done() && !text.ends_with(end)) text += scan_.take_raw();
    suffix(text);
    push(TokenKind::text, std::move(text), line);
  }

  // A user-defined literal's suffix belongs to it: "text"sv is one token.
  void suffix(std::string& text) {
    if (!starts_identifier(scan_.peek())) return;
    while (!scan_.done() && continues_identifier(scan_.peek())) text += scan_.take();
  }

  void skip_comment() {
    scan_.take();
    if (scan_.take() == '/') {
      while (!scan_.done() && scan_.peek() != '\n') scan_.take();
      return;
    }
    char before = '\0';
    while (!scan_.done()) {
      const char c = scan_.take();
      if (before == '*' && c == '/') return;
      before = c;
    }
  }

  // A whole line, comments replaced by a blank, "%:" written as "#". What is in it is read as it is
  // elsewhere: where the compiler sees the end of a literal, and the beginning of a comment, so
  // must this, or one of them is blind to what follows. A raw string goes on over line ends.
  void directive() {
    const int line = scan_.line();
    if (scan_.take() == '%') scan_.take();
    std::string text = "#";
    while (!scan_.done() && scan_.peek() != '\n') {
      const char c = scan_.peek();
      if (c == '/' && (scan_.peek_next() == '/' || scan_.peek_next() == '*')) {
        skip_comment();
        text += ' ';
      } else if (std::isspace(static_cast<unsigned char>(c))) {
        text += scan_.take();
      } else if ((c == '<' || c == '"') && names_a_file(text)) {
        text += header_name();
      } else {
        text += next_token();
      }
    }
    const auto name = text.find_first_not_of(" \t\v\f", 1);
    text = name == std::string::npos ? "#" : "#" + text.substr(name);
    text.erase(text.find_last_not_of(" \t\r\v\f") + 1);
    push(TokenKind::directive, std::move(text), line);
  }

  // #include "x", #include_next <x>, #embed <x>, __has_include(<x>).
  static bool names_a_file(std::string_view text) {
    const auto last = text.find_last_not_of(" \t\v\f");
    text = text.substr(0, last == std::string_view::npos ? 0 : last + 1);
    if (text.ends_with('(')) {
      text.remove_suffix(1);
      text = text.substr(0, text.find_last_not_of(" \t\v\f") + 1);
      return text.ends_with("__has_include") || text.ends_with("__has_include_next") ||
             text.ends_with("__has_embed");
    }
    const auto first = text.find_first_not_of(" \t\v\f", 1);
    if (first == std::string_view::npos) return false;
    const auto name = text.substr(first);
    return name == "include" || name == "include_next" || name == "import" || name == "embed";
  }

  // As it is: no comment begins in it, and a backslash is one. Ends with its line.
  std::string header_name() {
    const char close = scan_.peek() == '<' ? '>' : '"';
    std::string text(1, scan_.take());
    while (!scan_.done() && scan_.peek() != '\n') {
      text += scan_.take();
      if (text.back() == close) break;
    }
    return text;
  }

  // The text of the next token, which is not kept.
  std::string next_token() {
    auto kept = std::move(tokens_);
    tokens_.clear();
    token();
    auto text = std::move(tokens_.back().text);
    tokens_ = std::move(kept);
    return text;
  }

  // "<%" is "{": the other spelling of a bracket is the bracket. Not "<::", which is "<" and "::".
  bool digraph(int line) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 5> spellings = {
        {{"<%", "{"}, {"%>", "}"}, {"<:", "["}, {":>", "]"}, {"%:", "#"}}};
    const std::string two = {scan_.peek(), scan_.peek_next()};
    for (const auto& [other, usual] : spellings) {
      if (two != other) continue;
      if (other == "<:" && colon_follows()) return false;
      scan_.take();
      scan_.take();
      push(TokenKind::punctuator, std::string(usual), line);
      return true;
    }
    return false;
  }

  // "<::" that is neither "<:::" nor "<::>".
  bool colon_follows() const {
    Scanner ahead = scan_;
    ahead.take();
    ahead.take();
    if (ahead.peek() != ':') return false;
    const char next = ahead.peek_next();
    return next != ':' && next != '>';
  }

  void punctuator(int line) {
    if (digraph(line)) return;
    constexpr std::array<std::string_view, 26> longer = {
        "<=>", "->*", "...", "<<=", ">>=", "::", "->", "++", "--", "<<", "<=", ">=", "==",
        "!=",  "&&",  "||",  "&=",  "+=",  "-=", "*=", "/=", "%=", "^=", "|=", "##", ".*"};
    std::string text(1, scan_.take());
    for (int more = 0; more < 2 && !scan_.done(); ++more) {
      const std::string wider = text + scan_.peek();
      const bool prefix = std::ranges::any_of(
          longer, [&](std::string_view known) { return known.starts_with(wider); });
      if (!prefix) break;
      // ".." is only the beginning of "...".
      if (wider == ".." && scan_.peek_next() != '.') break;
      text += scan_.take();
    }
    push(TokenKind::punctuator, std::move(text), line);
  }

  void push(TokenKind kind, std::string text, int line) {
    tokens_.push_back({kind, std::move(text), line});
  }

  Scanner scan_;
  std::vector<Token> tokens_;
  bool line_start_ = true;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) {
  if (source.starts_with("\xEF\xBB\xBF")) source.remove_prefix(3);  // says that it is UTF-8
  if (!source.contains('\r')) return Tokenizer(source).run();
  // A lone carriage return ends a line, too, and a comment with it.
  std::string lines;
  lines.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      lines += source[i];
    } else if (i + 1 == source.size() || source[i + 1] != '\n') {
      lines += '\n';
    }
  }
  return Tokenizer(lines).run();
}

bool is(Tokens tokens, std::size_t at, std::string_view text) {
  return at < tokens.size() && tokens[at].text == text;
}

bool is_word(Tokens tokens, std::size_t at) {
  return at < tokens.size() && tokens[at].kind == TokenKind::identifier;
}

std::size_t behind(Tokens tokens, std::size_t open, std::string_view left, std::string_view right) {
  const bool of_templates = left == "<";
  int depth = 0;
  int round = 0;
  // What closes so late closes never: or a thousand that are open would be looked for in all of it.
  const auto end = std::min(tokens.size(), open + farthest_bracket);
  for (auto i = open; i < end; ++i) {
    const auto& text = tokens[i].text;
    if (of_templates && text == "(") ++round;
    if (of_templates && text == ")") --round;
    if (round > 0) continue;
    if (text == left) ++depth;
    if (text == right) --depth;
    if (of_templates && text == ">>") depth -= 2;
    if (depth <= 0) return i + 1;
  }
  return tokens.size();
}

}  // namespace grader
