#include "policy_scopes.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace grader {

void Scopes::read(Tokens tokens, std::size_t at) {
  if (is(tokens, at, ";") || is(tokens, at, "}")) start_ = at + 1;
  if (is(tokens, at, "{")) {
    scopes_.push_back(kind(tokens.subspan(start_, at - start_)));
    start_ = at + 1;
  }
  if (is(tokens, at, "}") && !scopes_.empty()) scopes_.pop_back();
}

bool Scopes::are_everybodys() const {
  return std::ranges::all_of(scopes_, [](Kind kind) { return kind == Kind::everybodys; });
}

// `inline` namespaces and nameless ones are as if they were not there.
Scopes::Kind Scopes::kind(Tokens head) {
  // What the preprocessor was told stands between declarations, too.
  while (!head.empty() && head.front().kind == TokenKind::directive) head = head.subspan(1);
  const bool transparent = is(head, 0, "inline");
  const std::size_t at = transparent ? 1 : 0;
  if (!is(head, at, "namespace")) return is(head, 0, "extern") ? Kind::everybodys : Kind::own;
  const bool everybodys = std::ranges::all_of(head.subspan(at + 1), [](const Token& token) {
    return token.text == "futures" || token.text == "std" || token.text == "::";
  });
  return transparent || everybodys ? Kind::everybodys : Kind::own;
}

namespace {

// A use of the name at `at`, in an initialiser or a condition, instead of its declaration.
bool is_inside_another(Tokens tokens, std::size_t start, std::size_t at) {
  int round = 0;
  int angle = 0;
  for (auto i = std::max(start, at - std::min(at, farthest_bracket)); i < at; ++i) {
    const auto& text = tokens[i].text;
    if (text == "(") ++round;
    if (text == ")") --round;
    if (round > 0) continue;
    if (text == "<") ++angle;
    if (text == ">") --angle;
    if (text == ">>") angle -= 2;
    if ((text == "=" && angle <= 0) || text == "return") return true;
  }
  return round > 0;
}

}  // namespace

std::optional<Objection> object_to_overload(Tokens tokens, std::size_t at, const Scopes& scopes) {
  constexpr auto functions = std::to_array<std::string_view>(
      {"with_cancel", "with_timeout", "with_deadline", "make_channel", "spawn", "not_implemented",
       "error_from_current_exception", "make_error_code", "make_error_condition"});
  if (!one_of(tokens[at].text, functions) || !scopes.are_everybodys()) return std::nullopt;
  if (is_inside_another(tokens, scopes.start(), at)) return std::nullopt;
  // using futures::spawn, other::spawn(...)
  const bool is_qualified = at > 0 && is(tokens, at - 1, "::");
  const bool brings_another =
      is(tokens, scopes.start(), "using") && at > 1 && !is(tokens, at - 2, "futures");
  if (is_qualified && !brings_another) return std::nullopt;
  // make_error_code() of an enumeration of the author's own is what the library asks for.
  const bool of_own_type =
      tokens[at].text.starts_with("make_error_") && !is(tokens, at + 2, "Errc");
  if (of_own_type) return std::nullopt;
  return Objection{tokens[at].line,
                   fmt::format("declares another {}(), which the tests would call instead of the "
                               "runtime's: choose another name, or a namespace of your own",
                               tokens[at].text)};
}

}  // namespace grader
