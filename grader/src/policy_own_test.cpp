#include "policy_own_test.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <string_view>

#include "policy_own_words.hpp"
#include "policy_rules.hpp"
#include "policy_templates.hpp"

namespace grader {
namespace {

std::optional<Objection> object_to_all(Tokens tokens, const OwnTestContext& context) {
  if (auto objection = object_to_words(tokens, context)) return objection;
  return object_to_templates(tokens);
}

// Whether the whole of an #if only asks what kind of build it is.
bool is_plain_condition(std::string_view rest) {
  constexpr auto fine = std::to_array<std::string_view>(
      {"__SANITIZE_THREAD__", "__SANITIZE_ADDRESS__", "defined", "(", ")", "!", "&&", "||"});
  return std::ranges::all_of(tokenize(rest), [&](const Token& token) {
    return token.kind == TokenKind::number || std::ranges::find(fine, token.text) != fine.end();
  });
}

std::optional<std::string> object_to_macro_body(Tokens body) {
  for (std::size_t i = 0; i < body.size(); ++i) {
    if (body[i].text == "##" ||
        (body[i].text == "#" && i + 1 < body.size() && body[i + 1].text == "#")) {
      return "makes words in a macro (##); write them out";
    }
  }
  return std::nullopt;
}

std::optional<Objection> object_to_directives(Tokens tokens, const OwnTestContext& context) {
  for (const auto& token : tokens) {
    if (token.kind != TokenKind::directive) continue;
    const auto [name, rest] = split_directive(token.text);
    if ((name.starts_with("if") || name.starts_with("elif")) && !is_plain_condition(rest)) {
      return Objection{token.line, fmt::format("asks the preprocessor (#{} {}); a test is the same "
                                               "for every version: leave the condition out",
                                               name, rest)};
    }
    if (name != "define") continue;
    const auto body = tokenize(rest);
    if (auto reason = object_to_macro_body(body)) return Objection{token.line, std::move(*reason)};
    if (auto inner = object_to_all(body, context)) {
      inner->line = token.line;
      return inner;
    }
  }
  return std::nullopt;
}

// Whatever stands before a header could change what is in it: a macro, a namespace around it.
std::optional<Objection> object_to_order(Tokens tokens) {
  const auto directive = [](const Token& token) {
    return token.kind == TokenKind::directive ? split_directive(token.text).name
                                              : std::string_view{};
  };
  const Token* other = nullptr;  // the first that is no #include
  for (const auto& token : tokens) {
    const auto name = directive(token);
    if (name == "include" && other != nullptr) {
      return Objection{other->line,
                       fmt::format("has something else before the #include in line {}; all headers "
                                   "come first, then macros and code",
                                   token.line)};
    }
    if (other == nullptr && name != "include" && name != "pragma") other = &token;
  }
  return std::nullopt;
}

}  // namespace

void add_macros(Tokens header, const std::string& file, BorrowedMacros& macros) {
  for (const auto& token : header) {
    if (token.kind != TokenKind::directive) continue;
    const auto [name, rest] = split_directive(token.text);
    const auto words = tokenize(rest);
    if (name == "define" && !words.empty()) macros.emplace(words.front().text, file);
    if (name == "undef" && !words.empty()) macros.erase(words.front().text);
  }
}

std::optional<Objection> object_to_own_test(Tokens tokens, const BorrowedMacros& macros) {
  auto context = context_of(tokens);
  context.macros = &macros;
  if (auto objection = object_to_order(tokens)) return objection;
  if (auto objection = object_to_directives(tokens, context)) return objection;
  return object_to_all(tokens, context);
}

std::optional<Objection> object_to_expanded_own_test(Tokens tokens) {
  auto context = context_of(tokens);
  context.expanded = true;
  return object_to_all(tokens, context);
}

}  // namespace grader
