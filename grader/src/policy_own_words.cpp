#include "policy_own_words.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <fmt/format.h>
#include <set>
#include <string>
#include <string_view>

#include "policy_templates.hpp"

namespace grader {
namespace {

using Words = std::span<const std::string_view>;

constexpr auto operators = std::to_array<std::string_view>(
    {"requires", "concept", "friend", "alignof", "offsetof", "typeid", "_Alignof", "__alignof",
     "__alignof__", "typeof", "typeof_unqual", "__typeof", "__typeof__", "__decltype",
     "__builtin_offsetof"});

// They look at bytes: of an object, whose layout is a version's own affair, or of its machine code.
constexpr auto raw_looks = std::to_array<std::string_view>({"reinterpret_cast",
                                                            "bit_cast",
                                                            "launder",
                                                            "start_lifetime_as",
                                                            "start_lifetime_as_array",
                                                            "memcpy",
                                                            "memmove",
                                                            "mempcpy",
                                                            "memccpy",
                                                            "memcmp",
                                                            "memchr",
                                                            "memrchr",
                                                            "memmem",
                                                            "wmemcpy",
                                                            "wmemmove",
                                                            "wmemcmp",
                                                            "wmemchr",
                                                            "bcmp",
                                                            "bcopy",
                                                            "fwrite",
                                                            "PrintToString",
                                                            "UniversalPrint",
                                                            "UniversalPrinter",
                                                            "UniversalTersePrint",
                                                            "va_arg",
                                                            "va_list",
                                                            "union"});

constexpr auto concepts = std::to_array<std::string_view>({"same_as",
                                                           "derived_from",
                                                           "convertible_to",
                                                           "common_reference_with",
                                                           "common_with",
                                                           "integral",
                                                           "signed_integral",
                                                           "unsigned_integral",
                                                           "floating_point",
                                                           "assignable_from",
                                                           "swappable",
                                                           "swappable_with",
                                                           "destructible",
                                                           "constructible_from",
                                                           "default_initializable",
                                                           "move_constructible",
                                                           "copy_constructible",
                                                           "equality_comparable",
                                                           "equality_comparable_with",
                                                           "totally_ordered",
                                                           "totally_ordered_with",
                                                           "movable",
                                                           "copyable",
                                                           "semiregular",
                                                           "regular",
                                                           "invocable",
                                                           "regular_invocable",
                                                           "predicate",
                                                           "relation",
                                                           "equivalence_relation",
                                                           "strict_weak_order",
                                                           "three_way_comparable",
                                                           "three_way_comparable_with"});

constexpr auto traits = std::to_array<std::string_view>({"void_t",
                                                         "enable_if",
                                                         "enable_if_t",
                                                         "conditional",
                                                         "conditional_t",
                                                         "conjunction",
                                                         "conjunction_v",
                                                         "disjunction",
                                                         "disjunction_v",
                                                         "negation",
                                                         "negation_v",
                                                         "invoke_result",
                                                         "invoke_result_t",
                                                         "common_type",
                                                         "common_type_t",
                                                         "common_reference",
                                                         "common_reference_t",
                                                         "declval",
                                                         "underlying_type",
                                                         "underlying_type_t",
                                                         "alignment_of",
                                                         "alignment_of_v",
                                                         "rank_v",
                                                         "extent_v"});

// Of the names that begin as the compiler's and the library's own do.
constexpr auto known_reserved = std::to_array<std::string_view>(
    {"__FILE__", "__LINE__", "__func__", "__VA_ARGS__", "__VA_OPT__", "__int128", "__extension__",
     "__attribute__", "__asm__", "__asm", "__restrict", "__SANITIZE_THREAD__",
     "__SANITIZE_ADDRESS__", "_Exit", "_Pragma"});

bool follows(Tokens tokens, std::size_t at, std::string_view text) {
  return at > 0 && tokens[at - 1].text == text;
}

std::string looks_inside(std::string_view what) {
  return fmt::format(
      "uses {}, which asks how a version is written; a test may only look at what it does: call "
      "it, and EXPECT something of what comes back",
      what);
}

bool is_reserved(std::string_view word) {
  return word.size() > 1 && word[0] == '_' &&
         (word[1] == '_' || std::isupper(static_cast<unsigned char>(word[1])));
}

// TEST() makes sure that its names are not empty, INSTANTIATE_TEST_SUITE_P counts, EXPECT_THROW
// names what it caught.
bool is_of_a_test_macro(Tokens tokens, std::size_t at) {
  const std::string_view word = tokens[at].text;
  if (word == "sizeof") {
    return is(tokens, at + 1, "(") && at + 2 < tokens.size() &&
           tokens[at + 2].kind == TokenKind::text;
  }
  if (at < 2) return false;
  const std::string_view user = tokens[at - 2].text;
  return (word == "decltype" && user == "tuple_size" && is(tokens, at + 2, "t")) ||
         (word == "typeid" && user == "GetTypeName" && is(tokens, at + 2, "e"));
}

std::optional<std::string> object_to_operator(Tokens tokens, std::size_t at) {
  const std::string_view word = tokens[at].text;
  if (one_of(word, operators)) return looks_inside(fmt::format("`{}`", word));
  if (word == "sizeof" && !is(tokens, at + 1, "...")) {
    return looks_inside("`sizeof` (of an array: std::size)");
  }
  if (word == "decltype" && !(is(tokens, at + 1, "(") && is(tokens, at + 2, "auto"))) {
    return looks_inside("`decltype` (`auto` and `decltype(auto)` are fine)");
  }
  if (word == "noexcept" && is(tokens, at + 1, "(")) {
    const bool plain =
        (is(tokens, at + 2, "true") || is(tokens, at + 2, "false")) && is(tokens, at + 3, ")");
    if (!plain) return looks_inside("`noexcept(...)` (a plain `noexcept` is fine)");
  }
  return std::nullopt;
}

// `<` with types behind it, and not a comparison: `integral < 5;`.
bool is_given_types(Tokens tokens, std::size_t at) {
  if (!is(tokens, at + 1, "<")) return false;
  for (auto i = at + 2; i < tokens.size() && i < at + farthest_bracket; ++i) {
    const auto& text = tokens[i].text;
    if (text == ">" || text == ">>") return true;
    if (text == ";" || text == "{" || text == "||" || text == "}") return false;
  }
  return true;
}

// Algorithms like std::is_sorted are called; traits and concepts are given types.
bool is_trait_name(Tokens tokens, std::size_t at, bool std_is_open) {
  const std::string_view word = tokens[at].text;
  if (!word.starts_with("is_") && !word.starts_with("has_")) return false;
  const bool given_types = is_given_types(tokens, at);
  if (follows(tokens, at, "::")) {
    const bool of_std = at > 1 && is(tokens, at - 2, "std");
    return given_types || (of_std && is(tokens, at + 1, ";"));
  }
  const bool member = follows(tokens, at, ".") || follows(tokens, at, "->");
  return given_types && !member && (std_is_open || word.ends_with("_v"));
}

std::optional<std::string> object_to_type_question(Tokens tokens, std::size_t at, bool expanded,
                                                   bool std_is_open) {
  const std::string_view word = tokens[at].text;
  // Order::regular may be an enumerator of the test's own.
  const bool qualified = follows(tokens, at, "::") && at > 1 &&
                         (is(tokens, at - 2, "std") || is(tokens, at - 2, "ranges"));
  if (one_of(word, concepts) && (qualified || is_given_types(tokens, at))) {
    return looks_inside(fmt::format("the concept {}", word));
  }
  constexpr auto sizes = std::to_array<std::string_view>(
      {"max_size", "size_bytes", "as_bytes", "as_writable_bytes", "is_always_lock_free"});
  const bool asked =
      follows(tokens, at, ".") || follows(tokens, at, "->") || follows(tokens, at, "::");
  if (!expanded && asked && one_of(word, sizes)) return looks_inside(word);
  if (word == "function_name" && (follows(tokens, at, ".") || follows(tokens, at, "->"))) {
    return looks_inside("a source_location's function_name() (its line is fine)");
  }
  // EXPECT_THROW chooses what it catches with std::conditional and std::is_same.
  if (expanded) return std::nullopt;
  const bool trait = one_of(word, traits) && (qualified || is(tokens, at + 1, "<"));
  if (trait || is_trait_name(tokens, at, std_is_open)) {
    return looks_inside(fmt::format("the type trait {}", word));
  }
  return std::nullopt;
}

// (const unsigned char*)&futures::async. A `*` before a `)` is part of a type; of a cast, when what
// follows is an operand.
bool casts_to_pointer(Tokens tokens, std::size_t at) {
  if (!is(tokens, at, "*") || at == 0 || tokens[at - 1].text == "(") return false;
  auto close = at + 1;
  while (is(tokens, close, "const") || is(tokens, close, "*")) ++close;
  if (!is(tokens, close, ")") || close + 1 >= tokens.size()) return false;
  constexpr auto of_a_function = std::to_array<std::string_view>(
      {"const", "volatile", "noexcept", "mutable", "override", "final", "requires", "try",
       "constexpr", "static", "nullptr"});
  const auto& next = tokens[close + 1];
  if (next.kind == TokenKind::identifier) return !one_of(next.text, of_a_function);
  if (next.text == "&") {
    return close + 2 < tokens.size() && tokens[close + 2].kind == TokenKind::identifier;
  }
  return next.text == "(" || next.text == "*";
}

std::optional<std::string> object_to_raw_look(Tokens tokens, std::size_t at) {
  const std::string_view word = tokens[at].text;
  if (one_of(word, raw_looks)) return looks_inside(fmt::format("`{}`", word));
  if (word == "void") {
    const auto star = is(tokens, at + 1, "const") ? at + 2 : at + 1;
    if (is(tokens, star, "*")) return looks_inside("a pointer to void");
  }
  const bool cast = word == "static_cast" || word == "const_cast";
  if (cast && is(tokens, at + 1, "<")) {
    const auto end = behind(tokens, at + 1, "<", ">");
    if (end >= 2 && is(tokens, end - 2, "*")) return looks_inside("a cast to a pointer");
  }
  if (casts_to_pointer(tokens, at)) return looks_inside("a cast to a pointer");
  return std::nullopt;
}

std::optional<std::string> object_to_written_name(Tokens tokens, std::size_t at,
                                                  const BorrowedMacros& macros) {
  const std::string_view word = tokens[at].text;
  if (is_reserved(word) && !one_of(word, known_reserved)) {
    return fmt::format(
        "uses {}, a name of the compiler's or the library's own; a test needs none of them", word);
  }
  if (word == "futures" && follows(tokens, at, "namespace") && at > 1 &&
      tokens[at - 2].text != "using" && !is(tokens, at + 1, ";")) {
    return "opens namespace futures, where names are that only one version has; a test says "
           "futures::Promise, or `using namespace futures`";
  }
  const bool internal = word == "internal" || word == "detail";
  if (internal && at > 1 && is(tokens, at - 1, "::") &&
      (is(tokens, at - 2, "testing") || is(tokens, at - 2, "rc"))) {
    return fmt::format("reaches into {}::{}; use what the library documents", tokens[at - 2].text,
                       word);
  }
  constexpr auto of_rapidcheck = std::to_array<std::string_view>(
      {"RC_INTERNAL", "RC_GLUE", "RC_UNIQUE", "RC_SFINAE", "RC_FWD_", "RC_OP_", "RC_FOREACH_"});
  const auto starts = [&](std::string_view prefix) { return word.starts_with(prefix); };
  if (word == "FRIEND_TEST" || (word.starts_with("GTEST_") && word.ends_with('_')) ||
      std::ranges::any_of(of_rapidcheck, starts)) {
    return fmt::format("uses {}, a macro that GoogleTest and RapidCheck keep to themselves", word);
  }
  if (const auto macro = macros.find(word); macro != macros.end()) {
    return fmt::format(
        "uses the name {}, which {} makes a macro; a test sees no version's macros: choose another "
        "name",
        word, macro->second);
  }
  return std::nullopt;
}

// &Promise<int>::resolve, &P::resolve; &futures::async and &MyHelper::run are fine.
bool points_to_member(Tokens tokens, std::size_t at, const std::set<std::string_view>& own) {
  if (!is(tokens, at, "&") && !is(tokens, at, "bitand")) return false;
  if (at > 0) {
    const auto& before = tokens[at - 1];
    const bool keyword = before.text == "return" || before.text == "co_return";
    const bool operand = before.kind == TokenKind::number || before.kind == TokenKind::text ||
                         before.text == ")" || before.text == "]" || before.text == ">";
    if (operand || (before.kind == TokenKind::identifier && !keyword)) return false;
  }
  std::string_view last;  // before the latest ::
  bool of_template = false;
  for (auto next = at + 1; next < tokens.size(); ++next) {
    if (tokens[next].kind == TokenKind::identifier) {
      const bool arguments = is(tokens, next + 1, "<");
      const auto end = arguments ? behind(tokens, next + 1, "<", ">") : next + 1;
      if (!is(tokens, end, "::")) break;
      last = tokens[next].text;
      of_template = arguments;
      next = end;
    } else if (tokens[next].text != "::") {
      break;
    }
  }
  // RC_GTEST_FIXTURE_PROP hands over a function of its own class.
  if (last.empty() || (is(tokens, at + 1, "rc") && is(tokens, at + 3, "detail"))) return false;
  return of_template || (std::isupper(static_cast<unsigned char>(last[0])) && !own.contains(last));
}

// using Clock = std::chrono::steady_clock;
bool is_plain_std_name(Tokens tokens, std::size_t at) {
  if (!is(tokens, at, "std")) return false;
  while (is_word(tokens, at) || is(tokens, at, "::")) ++at;
  return is(tokens, at, ";");
}

}  // namespace

OwnTestContext context_of(Tokens tokens) {
  OwnTestContext context;
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    const auto& word = tokens[i].text;
    if (word == "struct" || word == "class") context.own.insert(tokens[i + 1].text);
    if (word == "using" && is(tokens, i + 2, "=") && is_plain_std_name(tokens, i + 3)) {
      context.own.insert(tokens[i + 1].text);
    }
    context.std_is_open |=
        word == "using" && tokens[i + 1].text == "namespace" && is(tokens, i + 2, "std");
  }
  return context;
}

std::optional<Objection> object_to_words(Tokens tokens, const OwnTestContext& context) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto& token = tokens[i];
    std::optional<std::string> reason;
    if (token.kind == TokenKind::identifier) {
      if (!context.expanded || !is_of_a_test_macro(tokens, i)) {
        reason = object_to_operator(tokens, i);
      }
      if (!reason) {
        reason = object_to_type_question(tokens, i, context.expanded, context.std_is_open);
      }
      if (!reason && !context.expanded) reason = object_to_written_name(tokens, i, *context.macros);
    }
    if (!reason && !context.expanded) reason = object_to_raw_look(tokens, i);
    const bool member_of = is(tokens, i, "::") && is(tokens, i + 1, "*");
    if (!reason && (member_of || points_to_member(tokens, i, context.own))) {
      reason = looks_inside("a pointer to a member (write a lambda that calls it)");
    }
    if (reason) return Objection{token.line, std::move(*reason)};
  }
  return std::nullopt;
}

}  // namespace grader
