#include "policy_templates.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <set>
#include <string>
#include <string_view>

namespace grader {
namespace {

using Names = std::set<std::string_view>;

constexpr auto integers = std::to_array<std::string_view>(
    {"bool",     "char",     "short",    "int",       "long",      "unsigned", "signed",
     "size_t",   "int8_t",   "int16_t",  "int32_t",   "int64_t",   "uint8_t",  "uint16_t",
     "uint32_t", "uint64_t", "intptr_t", "uintptr_t", "ptrdiff_t", "intmax_t", "uintmax_t"});

bool is_integer(Tokens tokens, std::size_t at) {
  return at < tokens.size() && std::ranges::find(integers, tokens[at].text) != integers.end();
}

bool names_a_type(Tokens tokens, std::size_t at) {
  return is(tokens, at, "class") || is(tokens, at, "typename");
}

// class T, auto... values, std::size_t N.
bool is_plain(Tokens parameter, Names& types) {
  std::size_t next = 0;
  const bool type = names_a_type(parameter, 0);
  if (type || is(parameter, 0, "auto")) {
    next = 1;
  } else {
    if (is(parameter, 0, "std") && is(parameter, 1, "::")) next = 2;
    const auto first = next;
    while (is_integer(parameter, next)) ++next;
    if (next == first) return false;
  }
  if (is(parameter, next, "...")) ++next;
  if (next == parameter.size()) return true;
  if (parameter[next].kind != TokenKind::identifier) return false;
  if (type) types.insert(parameter[next].text);
  return next + 1 == parameter.size();
}

// The parameters between `open` and `end`, the index behind their `>`.
bool all_plain(Tokens tokens, std::size_t open, std::size_t end, Names& types) {
  if (end == open + 2) return true;  // template <>
  auto from = open + 1;
  int depth = 0;
  for (auto i = from; i < end; ++i) {
    const auto& text = tokens[i].text;
    if (text == "<" || text == "(") ++depth;
    if (i + 1 == end || (text == "," && depth == 0)) {
      if (!is_plain(tokens.subspan(from, i - from), types)) return false;
      from = i + 1;
    }
    if (text == ">" || text == ")") --depth;
  }
  return true;
}

// `Box<T>::put(T value)`: a member defined outside of its class. Not `Box<T>::mark (f)(int)`, a
// function that returns a member type.
bool defines_member(Tokens signature, std::size_t colons) {
  if (!is(signature, colons + 2, "(")) return false;
  int depth = 0;
  for (auto i = colons + 2; i < signature.size(); ++i) {
    if (signature[i].text == "(") ++depth;
    if (signature[i].text == ")" && --depth == 0) return !is(signature, i + 1, "(");
  }
  return false;
}

// Whether a signature asks for a member of one of `types`: `T::mark`, `Wrapped<T>::mark`, or an
// expression where a type is due.
bool asks_for_members(Tokens signature, const Names& types) {
  int depth = 0;
  for (std::size_t i = 0; i < signature.size(); ++i) {
    const auto& text = signature[i].text;
    if (text == "<" || text == "(" || text == "[") ++depth;
    if (text == ">" || text == ")" || text == "]") --depth;
    if (text == ">>") depth -= 2;
    if (text == "." || (text == "->" && depth > 0)) return true;
    if (text != "::" || i == 0) continue;
    if (types.contains(signature[i - 1].text)) return true;
    const auto& before = signature[i - 1].text;
    if ((before != ">" && before != ">>") || (depth == 0 && defines_member(signature, i))) continue;
    int closed = 0;
    for (auto back = i; back-- > 0;) {
      if (signature[back].text == ">") ++closed;
      if (signature[back].text == ">>") closed += 2;
      if (types.contains(signature[back].text)) return true;
      if (signature[back].text == "<" && --closed <= 0) break;
    }
  }
  return false;
}

// From `at` to the body, the end of the declaration, or the colon of bases and initialisers.
Tokens signature_at(Tokens tokens, std::size_t at) {
  int depth = 0;
  auto end = at;
  for (; end < tokens.size(); ++end) {
    const auto& text = tokens[end].text;
    if (text == "(") ++depth;
    if (text == ")" && --depth < 0) break;
    if (text == "{" || text == ";" || (text == ":" && depth == 0)) break;
  }
  return tokens.subspan(at, end - at);
}

// [] <class T> (T value) {}: the list of a lambda, unlike `a[i] < b`.
bool opens_lambda_list(Tokens tokens, std::size_t at) {
  if (!is(tokens, at, "<") || at == 0 || !is(tokens, at - 1, "]")) return false;
  auto next = at + 1;
  while (is_integer(tokens, next)) ++next;
  const bool named = is_word(tokens, next) || is(tokens, next, ",") || is(tokens, next, ">") ||
                     is(tokens, next, "...");
  const bool integer = next > at + 1 && named;
  return names_a_type(tokens, at + 1) || is(tokens, at + 1, "auto") ||
         is(tokens, at + 1, "template") || integer;
}

}  // namespace

std::optional<Objection> object_to_templates(Tokens tokens) {
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    const bool declares = is(tokens, i, "template") && is(tokens, i + 1, "<");
    if (!declares && !opens_lambda_list(tokens, i + 1)) continue;
    Names types;
    const auto end = behind(tokens, i + 1, "<", ">");
    if (!all_plain(tokens, i + 1, end, types)) {
      return Objection{tokens[i + 1].line,
                       "has a template parameter with more than a kind and a name, which can ask "
                       "how a version is written; make it `class T`, `auto value` or `int n`"};
    }
    if (asks_for_members(signature_at(tokens, end), types)) {
      return Objection{tokens[i + 1].line,
                       "has a template whose signature asks for a member of its parameter, and so "
                       "how a version is written; use the task's types by their names"};
    }
  }
  return std::nullopt;
}

}  // namespace grader
