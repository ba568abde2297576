#include "policy_meanings.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <set>
#include <string>
#include <vector>

#include "policy_scopes.hpp"

namespace grader {
namespace {

// The templates of the library that are there to be specialised for one's own types.
constexpr auto specialisable = std::to_array<std::string_view>(
    {"hash", "formatter", "is_error_code_enum", "is_error_condition_enum", "tuple_size",
     "tuple_element", "common_type", "basic_common_reference", "uses_allocator", "coroutine_traits",
     "numeric_limits", "less", "enable_borrowed_range", "enable_view", "variant_size",
     "variant_alternative", "iterator_traits", "pointer_traits", "allocator_traits"});

// What the runtime gives, and the library's types that its names stand for.
constexpr auto given = std::to_array<std::string_view>(
    {"Receiver", "Sender", "Result", "Error", "Errc", "Context", "CancelSource", "optional",
     "expected", "unexpected", "error_code", "error_condition", "move_only_function", "nullopt_t"});

using Types = std::set<std::string_view>;

bool is_class_key(Tokens tokens, std::size_t at) {
  return is(tokens, at, "class") || is(tokens, at, "struct") || is(tokens, at, "union");
}

// The classes and enumerations that a file declares. Another name for one of the library's is none.
Types declared_types(Tokens tokens) {
  Types types;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (!is_class_key(tokens, i) && !is(tokens, i, "enum") && !is(tokens, i, "namespace")) continue;
    for (auto next = i + 1; next < tokens.size(); ++next) {
      if (is(tokens, next, "alignas") || is(tokens, next, "[") || is(tokens, next, "(")) {
        const bool square = is(tokens, next, "[");
        if (is(tokens, next, "alignas")) ++next;
        next = behind(tokens, next, square ? "[" : "(", square ? "]" : ")") - 1;
        continue;
      }
      if (is_class_key(tokens, next) || is(tokens, next, "::")) continue;
      if (!is_word(tokens, next)) break;
      const bool goes_on = is(tokens, next + 1, "::");
      const bool declares = is(tokens, next + 1, "{") || is(tokens, next + 1, ":") ||
                            is(tokens, next + 1, "final") || is(tokens, next + 1, ";") ||
                            is(tokens, next + 1, "<");
      if (declares || goes_on) types.insert(tokens[next].text);
      if (!goes_on) break;
    }
  }
  for (std::size_t i = 0; i + 2 < tokens.size(); ++i) {
    if (is(tokens, i, "using") && is(tokens, i + 2, "=")) types.erase(tokens[i + 1].text);
    if (!is(tokens, i, "typedef")) continue;
    auto end = i;
    while (end < tokens.size() && end < i + farthest_bracket && !is(tokens, end, ";")) ++end;
    types.erase(tokens[end - 1].text);
  }
  for (const auto name : given) types.erase(name);
  for (const std::string_view name : {"std", "futures", "detail"}) types.erase(name);
  return types;
}

// From `requires` to the class or function that it constrains.
std::size_t behind_constraint(Tokens tokens, std::size_t at) {
  for (++at; at < tokens.size() && !is_class_key(tokens, at); ++at) {
    if (is(tokens, at, ";") || is(tokens, at, "{")) return at;
    if (is(tokens, at, "(")) at = behind(tokens, at, "(", ")") - 1;
    if (is(tokens, at, "<")) at = behind(tokens, at, "<", ">") - 1;
  }
  return at;
}

// [[nodiscard]], alignas(8), __attribute__((packed)).
std::size_t behind_attributes(Tokens tokens, std::size_t at) {
  while (true) {
    if (is(tokens, at, "[")) {
      at = behind(tokens, at, "[", "]");
    } else if ((is(tokens, at, "alignas") || is(tokens, at, "__attribute__")) &&
               is(tokens, at + 1, "(")) {
      at = behind(tokens, at + 1, "(", ")");
    } else {
      return at;
    }
  }
}

// template <class T> constexpr bool std::is_same_v<Mine, T> = true.
std::optional<Objection> object_to_variable(Tokens tokens, std::size_t at, bool in_std) {
  if (!is(tokens, at, "template") || !is(tokens, at + 1, "<")) return std::nullopt;
  bool of_std = in_std;
  for (auto next = behind(tokens, at + 1, "<", ">"); next < tokens.size(); ++next) {
    if (is(tokens, next, "(") || is(tokens, next, ";") || is(tokens, next, "{") ||
        is(tokens, next, "=") || is_class_key(tokens, next) || is(tokens, next, "using")) {
      return std::nullopt;
    }
    if (!is_word(tokens, next)) continue;
    if (!is(tokens, next - 1, "::")) of_std = in_std;
    if (is(tokens, next, "std")) of_std = true;
    if (!is(tokens, next + 1, "<")) continue;
    const auto end = behind(tokens, next + 1, "<", ">");
    if (!is(tokens, end, "=") && !is(tokens, end, "{")) {
      next = end - 1;
      continue;
    }
    if (!of_std || one_of(tokens[next].text, specialisable)) return std::nullopt;
    return Objection{tokens[at].line, fmt::format("specialises {}, which the tests use as it is",
                                                  tokens[next].text)};
  }
  return std::nullopt;
}

// template <> class Receiver<int>, template <> struct std::optional<int>.
std::optional<Objection> object_to_specialisation(Tokens tokens, std::size_t at, bool in_std) {
  if (!is(tokens, at, "template") || !is(tokens, at + 1, "<")) return std::nullopt;
  auto next = behind(tokens, at + 1, "<", ">");
  if (is(tokens, next, "requires")) next = behind_constraint(tokens, next);
  if (!is_class_key(tokens, next)) return std::nullopt;
  bool of_std = in_std;
  std::string_view name;
  for (next = behind_attributes(tokens, next + 1); is_word(tokens, next) || is(tokens, next, "::");
       ++next) {
    if (is(tokens, next, "std")) of_std = true;
    if (is_word(tokens, next)) name = tokens[next].text;
  }
  if (!is(tokens, next, "<")) return std::nullopt;  // a template of its own, not a specialisation
  const bool forbidden = of_std ? !one_of(name, specialisable) : one_of(name, given);
  if (!forbidden) return std::nullopt;
  return Objection{tokens[at].line,
                   fmt::format("specialises {}, which the tests use as it is", name)};
}

// template <> std::optional<int> Receiver<int>::receive(), template <> bool
// std::operator==<...>(...), template <> constexpr bool std::is_same_v<...> = true.
std::optional<Objection> object_to_function_specialisation(Tokens tokens, std::size_t at,
                                                           const Types& own) {
  if (!is(tokens, at, "template") || !is(tokens, at + 1, "<") || !is(tokens, at + 2, ">") ||
      is_class_key(tokens, at + 3)) {
    return std::nullopt;
  }
  // The name that is declared: what is joined by `::` in front of the parameters.
  bool of_others = false;
  std::string_view name;
  auto next = at + 3;
  for (; next < tokens.size(); ++next) {
    // [[nodiscard("why")]], decltype(...), alignas(...) and the like come before the name.
    const bool has_list = is(tokens, next, "decltype") || is(tokens, next, "alignas") ||
                          is(tokens, next, "noexcept") || is(tokens, next, "requires") ||
                          is(tokens, next, "__attribute__");
    if (has_list && is(tokens, next + 1, "(")) {
      next = behind(tokens, next + 1, "(", ")") - 1;
      continue;
    }
    if (is(tokens, next, "[")) {
      next = behind(tokens, next, "[", "]") - 1;
      continue;
    }
    if (is(tokens, next, "(") || is(tokens, next, "=") || is(tokens, next, "operator")) break;
    if (is(tokens, next, ";") || is(tokens, next, "{")) return std::nullopt;
    if (is(tokens, next, "<")) {
      next = behind(tokens, next, "<", ">") - 1;
      continue;
    }
    if (!is_word(tokens, next)) continue;
    if (!is(tokens, next - 1, "::")) of_others = false;
    name = tokens[next].text;
    const bool qualifies = is(tokens, next + 1, "::") || is(tokens, next + 1, "<");
    if (name == "std" || (qualifies && one_of(name, given))) of_others = true;
    const auto end = is(tokens, next + 1, "<") ? behind(tokens, next + 1, "<", ">") : next + 1;
    if (is(tokens, end, "::") && name != "futures" && name != "detail" && !own.contains(name)) {
      of_others = true;  // by another name of it
    }
  }
  if (!of_others || one_of(name, specialisable)) return std::nullopt;
  return Objection{tokens[at].line, "specialises a function that the tests use as it is"};
}

// The names of the template parameters in front of a declaration.
std::set<std::string, std::less<>> template_parameters(Tokens tokens, std::size_t at) {
  auto start = at;
  int depth = 0;
  while (start > 0 && at - start < farthest_bracket) {
    const auto& text = tokens[start - 1].text;
    if (text == ")" || text == "]") ++depth;
    if (text == "(" || text == "[") --depth;
    if (depth < 0 || (depth == 0 && (text == ";" || text == "{" || text == "}"))) break;
    --start;
  }
  std::set<std::string, std::less<>> names;
  for (auto i = start; i < at; ++i) {
    if (!is(tokens, i, "template") || !is(tokens, i + 1, "<")) continue;
    const auto end = behind(tokens, i + 1, "<", ">");
    for (auto j = i + 2; j + 1 < end; ++j) {
      const bool last = is(tokens, j + 1, ",") || is(tokens, j + 1, ">") || is(tokens, j + 1, "=");
      if (last && is_word(tokens, j)) names.insert(tokens[j].text);
    }
  }
  return names;
}

std::vector<Tokens> split_parameters(Tokens list) {
  std::vector<Tokens> parameters;
  int depth = 0;
  std::size_t start = 0;
  for (std::size_t i = 0; i <= list.size(); ++i) {
    if (i < list.size()) {
      const auto& text = list[i].text;
      if (text == "<" || text == "(" || text == "[") ++depth;
      if (text == ">" || text == ")" || text == "]") --depth;
      if (text == ">>") depth -= 2;
    }
    if (i == list.size() || (depth <= 0 && list[i].text == ",")) {
      if (i > start) parameters.push_back(list.subspan(start, i - start));
      start = i + 1;
    }
  }
  return parameters;
}

// `const T& other` with T from `template <class T>`, or `const auto& other`.
bool takes_anything(Tokens parameter, const std::set<std::string, std::less<>>& generic) {
  for (std::size_t i = 0; i < parameter.size(); ++i) {
    if (parameter[i].text == "const") continue;
    if (parameter[i].text == "auto") return true;
    const bool plain = !is(parameter, i + 1, "<") && !is(parameter, i + 1, "::");
    return plain && generic.contains(parameter[i].text);
  }
  return false;
}

// A type of the library or of the language, and not of the header.
bool is_of_others(Tokens parameter) {
  constexpr auto others =
      std::to_array<std::string_view>({"std", "bool", "char", "int", "long", "short", "signed",
                                       "unsigned", "float", "double", "size_t", "void"});
  for (const auto& token : parameter) {
    if (token.text == "const" || token.text == "volatile" || token.text == "::") continue;
    return one_of(token.text, others);
  }
  return true;
}

bool mentions_given(Tokens parameter) {
  return std::ranges::any_of(parameter, [](const Token& t) { return one_of(t.text, given); });
}

bool is_friend(Tokens tokens, std::size_t at) {
  for (auto i = at; i > 0 && at - i < farthest_bracket; --i) {
    const auto& text = tokens[i - 1].text;
    if (text == "friend") return true;
    if (text == ";" || text == "{" || text == "}") return false;
  }
  return false;
}

// operator==, operator!= and operator<=>, declared at `at`.
std::optional<Objection> object_to_comparison(Tokens tokens, std::size_t at, bool in_class,
                                              const Types& own) {
  const bool compares =
      is(tokens, at, "operator") &&
      (is(tokens, at + 1, "==") || is(tokens, at + 1, "!=") || is(tokens, at + 1, "<=>"));
  // Called by its name: x.operator==(y). Or defined outside of its class, which has declared it.
  const bool member = at > 1 && is(tokens, at - 1, "::") &&
                      (own.contains(tokens[at - 2].text) || is(tokens, at - 2, ">"));
  if (compares && member) return std::nullopt;
  if (!compares || (at > 0 && (is(tokens, at - 1, ".") || is(tokens, at - 1, "->")))) {
    return std::nullopt;
  }
  auto open = at + 2;
  if (is(tokens, open, "<")) open = behind(tokens, open, "<", ">");  // of a specialisation
  if (!is(tokens, open, "(")) return std::nullopt;
  const auto end = behind(tokens, open, "(", ")");
  const auto parameters = split_parameters(tokens.subspan(open + 1, end - open - 2));
  const auto generic = template_parameters(tokens, at);
  // Beside a type of the author's own it takes none of what the tests compare.
  const auto is_own = [&](Tokens parameter) {
    return !takes_anything(parameter, generic) && !is_of_others(parameter) &&
           !mentions_given(parameter) &&
           std::ranges::any_of(parameter, [&](const Token& t) { return own.contains(t.text); });
  };
  const bool of_two = !in_class || is_friend(tokens, at);
  if (of_two && std::ranges::any_of(parameters, is_own)) return std::nullopt;
  for (const auto parameter : parameters) {
    if (takes_anything(parameter, generic)) {
      return Objection{tokens[at].line,
                       "declares a comparison with whatever comes: something equal to everything "
                       "would pass every test"};
    }
  }
  if (in_class || is_friend(tokens, at)) return std::nullopt;
  return Objection{
      tokens[at].line,
      "declares a comparison of types that are not its own: the tests compare with it"};
}

// Where the declarations of a file are: inside namespace std, inside a class, or elsewhere.
enum class Place { elsewhere, in_std, in_class };

Place place_behind(Tokens tokens, std::size_t open, Place outer) {
  std::size_t start = open;
  while (start > 0 && open - start < farthest_bracket && tokens[start - 1].text != ";" &&
         tokens[start - 1].text != "{" && tokens[start - 1].text != "}" &&
         tokens[start - 1].kind != TokenKind::directive) {
    --start;
  }
  bool opens_namespace = false;
  for (auto i = start; i < open; ++i) {
    if (is(tokens, i, "namespace")) opens_namespace = true;
    if (opens_namespace && is(tokens, i, "std")) return Place::in_std;
    if (opens_namespace) continue;
    // Not the `class` of a template's parameters, nor the body of a function that returns one.
    if (is(tokens, i, "template") && is(tokens, i + 1, "<")) {
      i = behind(tokens, i + 1, "<", ">") - 1;
    } else if (is_class_key(tokens, i) && !is(tokens, open - 1, ")")) {
      return Place::in_class;
    }
  }
  return opens_namespace && outer == Place::in_std ? Place::in_std : Place::elsewhere;
}

}  // namespace

std::optional<Objection> object_to_meanings(Tokens tokens, bool declarations) {
  const auto own = declared_types(tokens);
  std::vector<Place> places = {Place::elsewhere};
  Scopes scopes;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto place = places.back();
    scopes.read(tokens, i);
    if (is(tokens, i, "{")) places.push_back(place_behind(tokens, i, place));
    if (is(tokens, i, "}") && places.size() > 1) places.pop_back();
    if (tokens[i].kind != TokenKind::identifier) continue;
    const bool reopens = is(tokens, i, "namespace") && is(tokens, i + 2, "{") &&
                         (is(tokens, i + 1, "std") || is(tokens, i + 1, "futures"));
    if (declarations && reopens && !scopes.are_none()) {
      return Objection{tokens[i].line,
                       fmt::format("declares a {} of its own: the tests mean the one of everybody",
                                   tokens[i + 1].text)};
    }
    if (place == Place::in_std && is(tokens, i, "operator")) {
      return Objection{tokens[i].line, "declares an operator in namespace std"};
    }
    if (auto found = object_to_specialisation(tokens, i, place == Place::in_std)) return found;
    if (auto found = object_to_variable(tokens, i, place == Place::in_std)) return found;
    if (auto found = object_to_function_specialisation(tokens, i, own)) return found;
    if (declarations) {
      if (auto found = object_to_overload(tokens, i, scopes)) return found;
    }
    if (auto found = object_to_comparison(tokens, i, place == Place::in_class, own)) {
      return found;
    }
  }
  return std::nullopt;
}

}  // namespace grader
