#include "policy_rules.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <fmt/format.h>
#include <sys/syscall.h>

#include "policy_meanings.hpp"

namespace grader {
namespace {

// "__alias__" -> "alias": attributes may be written either way.
std::string_view bare(std::string_view word) {
  if (word.size() > 4 && word.starts_with("__") && word.ends_with("__")) {
    word = word.substr(2, word.size() - 4);
  }
  return word;
}

// A spin loop may tell the processor so; nothing else needs an assembler.
std::optional<std::string> object_to_asm(Tokens tokens, std::size_t at) {
  constexpr std::array<std::string_view, 10> hints = {
      "", "pause", "nop", "rep; nop", "rep;nop", "yield", "isb", "mfence", "lfence", "sfence"};
  auto next = at + 1;
  while (next < tokens.size() && tokens[next].kind == TokenKind::identifier) ++next;
  if (is(tokens, next, "(") && next + 1 < tokens.size() &&
      tokens[next + 1].kind == TokenKind::text) {
    const std::string_view literal = tokens[next + 1].text;
    const auto text = literal.starts_with('"') && literal.size() >= 2
                          ? literal.substr(1, literal.size() - 2)
                          : "?";
    const bool ends =
        is(tokens, next + 2, ")") || is(tokens, next + 2, ":") || is(tokens, next + 2, "::");
    if (ends && one_of(text, hints)) return std::nullopt;
  }
  return "contains assembler, which the tests cannot look into (a spin loop's \"pause\" is fine)";
}

std::optional<std::string> object_to_attribute(Tokens tokens, std::size_t at) {
  constexpr std::array<std::string_view, 9> renaming = {
      "alias", "ifunc", "weakref", "symver", "init_priority", "section", "weak", "naked", "copy"};
  const auto name = bare(tokens[at].text);
  // The sanitizers look at accesses of the usual sizes, in the usual address space.
  constexpr std::array<std::string_view, 9> unseen = {
      "address_space", "ptr32",       "ptr64",           "sptr",       "uptr",
      "mode",          "vector_size", "ext_vector_type", "matrix_type"};
  if (one_of(name, unseen) || name.starts_with("opencl_")) {
    return fmt::format("makes memory that the race detectors can't see (attribute {})", name);
  }
  if (name.starts_with("no_sanitize") || name == "disable_sanitizer_instrumentation") {
    return fmt::format("asks the sanitizers to look away ({})", name);
  }
  if (one_of(name, renaming)) {
    return fmt::format("changes how the program is put together (attribute {})", name);
  }
  if ((name == "constructor" || name == "destructor") && is(tokens, at + 1, "(")) {
    return fmt::format("asks to run before everybody else ({} with a priority)", name);
  }
  return std::nullopt;
}

std::optional<std::string> object_to_attributes(Tokens tokens, std::size_t from, std::size_t to) {
  for (std::size_t i = from; i < to && i < tokens.size(); ++i) {
    if (tokens[i].kind != TokenKind::identifier) continue;
    if (auto reason = object_to_attribute(tokens, i)) return reason;
    if (is(tokens, i + 1, "(")) i = behind(tokens, i + 1, "(", ")") - 1;  // guarded_by(section)
  }
  return std::nullopt;
}

std::optional<std::string> object_to_syscall(Tokens tokens, std::size_t at, bool expanded) {
  constexpr std::array<std::string_view, 5> names = {"SYS_futex", "__NR_futex", "SYS_gettid",
                                                     "__NR_gettid", "SYS_membarrier"};
  // A method may be called syscall too: called, or declared behind its type's name.
  if (at > 0 && (is(tokens, at - 1, ".") || is(tokens, at - 1, "->"))) return std::nullopt;
  const bool declared = at > 0 && tokens[at - 1].kind == TokenKind::identifier &&
                        tokens[at - 1].text != "return" && is(tokens, at + 1, "(") &&
                        !is(tokens, at + 2, "SYS_futex");
  if (declared) return std::nullopt;
  if (is(tokens, at + 1, "(") && at + 2 < tokens.size()) {
    const auto& argument = tokens[at + 2].text;
    if (!expanded && one_of(argument, names)) return std::nullopt;
    for (const long number : {SYS_futex, SYS_gettid, SYS_membarrier}) {
      if (expanded && argument == std::to_string(number)) return std::nullopt;
    }
  }
  return "makes system calls by number (only futex, gettid and membarrier are known to be fine)";
}

bool is_sanitizer_hook(std::string_view word) {
  constexpr auto prefixes = std::to_array<std::string_view>({"__tsan_",
                                                             "__asan_",
                                                             "__lsan_",
                                                             "__ubsan_",
                                                             "__msan_",
                                                             "__sanitizer_",
                                                             "AnnotateHappens",
                                                             "AnnotateIgnore",
                                                             "AnnotateBenign",
                                                             "AnnotateRWLock",
                                                             "AnnotateNewMemory",
                                                             "AnnotateFlush",
                                                             "AnnotateCondVar",
                                                             "AnnotateMutex",
                                                             "AnnotatePCQ",
                                                             "AnnotatePublish",
                                                             "AnnotateUnpublish",
                                                             "AnnotateExpectRace",
                                                             "AnnotateEnableRace",
                                                             "AnnotateThreadName"});
  return std::ranges::any_of(prefixes, [&](auto prefix) { return word.starts_with(prefix); });
}

// _Pragma("..."): as #pragma; made of a macro's arguments it could be any.
std::optional<std::string> object_to_pragma(Tokens tokens, std::size_t at) {
  const bool plain = is(tokens, at + 1, "(") && at + 2 < tokens.size() &&
                     tokens[at + 2].kind == TokenKind::text && is(tokens, at + 3, ")");
  if (!plain) return "makes a _Pragma of something else than a plain string";
  std::string words = tokens[at + 2].text;
  std::erase(words, '\\');  // of \"-Wshadow\"
  if (words.size() < 2 || words.front() != '"' || words.back() != '"') {
    return "makes a _Pragma of something else than a plain string";
  }
  return object_to_directive("pragma", std::string_view(words).substr(1, words.size() - 2));
}

// `namespace t = testing;`
bool renames_test_namespace(Tokens tokens, std::size_t at) {
  auto before = at;
  if (before > 0 && is(tokens, before - 1, "::")) --before;
  return before > 2 && is(tokens, before - 1, "=") && is(tokens, before - 3, "namespace");
}

// Whether the name at `at` is declared there as a class, a namespace or another name of a type:
// `struct [[nodiscard]] x`, `namespace a::x`, `using x = ...`, `typedef ... x`.
bool names_a_scope(Tokens tokens, std::size_t at) {
  constexpr auto keys = std::to_array<std::string_view>(
      {"class", "struct", "union", "enum", "namespace", "using", "typedef"});
  constexpr auto ends = std::to_array<std::string_view>({";", "{", "(", ",", "=", "<"});
  bool after_block = false;  // of typedef struct { ... } x; and of nothing else
  int depth = 0;             // inside alignas(8), <class T> or a block
  for (auto i = at; i > 0 && at - i < farthest_bracket; --i) {
    const auto& text = tokens[i - 1].text;
    if (text == "}") after_block = true;
    if (text == ")" || text == ">" || text == "}") ++depth;
    if (text == ">>") depth += 2;
    if (depth > 0) {
      if (text == "(" || text == "<" || text == "{") --depth;
      continue;
    }
    if (after_block ? text == "typedef" : one_of(text, keys)) return true;
    if (one_of(text, ends)) return false;
  }
  return false;
}

// What the tests say and mean by it: the kit's namespace and GoogleTest's, and each suite's own.
bool is_test_namespace(Tokens tokens, std::size_t at) {
  const std::string_view word = tokens[at].text;
  if (word == "workbook") return true;
  if (word.ends_with("_suite")) return names_a_scope(tokens, at);
  if (word != "testing") return false;
  return is(tokens, at + 1, "::") || renames_test_namespace(tokens, at) ||
         names_a_scope(tokens, at);
}

// `std` and `futures` of one's own, in a place where the tests would find them first.
std::optional<std::string> object_to_namesake(Tokens tokens, std::size_t at) {
  const std::string_view word = tokens[at].text;
  if ((word != "std" && word != "futures") || is(tokens, at + 1, "::")) return std::nullopt;
  const bool namespace_itself =
      at > 0 && is(tokens, at - 1, "namespace") &&
      (is(tokens, at + 1, "{") || (at > 1 && is(tokens, at - 2, "using")));
  if (namespace_itself || !names_a_scope(tokens, at)) return std::nullopt;
  // namespace s = std; using t = std...
  if (at > 0 && (is(tokens, at - 1, "=") || is(tokens, at - 1, "::"))) return std::nullopt;
  return fmt::format("declares a {} of its own: the tests mean the one of everybody", word);
}

// Careful only while somebody looks: `__has_feature(thread_sanitizer)`, __SANITIZE_THREAD__.
bool asks_for_sanitizers(Tokens tokens, std::size_t at) {
  const std::string_view word = tokens[at].text;
  if (word.starts_with("__SANITIZE_")) return true;
  return word.ends_with("_sanitizer") && at > 1 && is(tokens, at - 1, "(") &&
         tokens[at - 2].text.starts_with("__has_");
}

// What reaches into the program by the compiler's or the library's own names.
std::optional<std::string> object_to_inside(std::string_view word) {
  constexpr std::array<std::string_view, 4> of_the_stack = {
      "__builtin_return_address", "__builtin_frame_address", "__builtin_extract_return_addr",
      "_Unwind_Backtrace"};
  if (one_of(word, of_the_stack)) return fmt::format("asks who calls it ({})", word);
  constexpr std::array<std::string_view, 5> of_the_place = {
      "__builtin_FILE", "__builtin_LINE", "__builtin_FUNCTION", "__builtin_source_location",
      "__BASE_FILE__"};
  if (one_of(word, of_the_place)) return fmt::format("asks where it is called from ({})", word);
  if (word == "_GLIBCXX_TSAN")
    return fmt::format("asks whether a sanitizer looks at it ({})", word);
  constexpr std::array<std::string_view, 8> hints = {"_mm_pause",
                                                     "_mm_mfence",
                                                     "_mm_lfence",
                                                     "_mm_sfence",
                                                     "_mm_malloc",
                                                     "__builtin_ia32_pause",
                                                     "__builtin_ia32_mfence",
                                                     "_mm_free"};
  if ((word.starts_with("_mm") || word.starts_with("__builtin_ia32_")) && !one_of(word, hints)) {
    return fmt::format("reads or writes memory behind the race detectors' back ({})", word);
  }
  if (word == "_fileno") return "redirects a FILE from the inside (_fileno)";
  if (word.starts_with("_Z") && word.size() > 3) {
    return fmt::format("names a function by its mangled name ({})", word);
  }
  return std::nullopt;
}

// alignas(std::max_align_t): there is nothing to be read or written.
bool is_only_measured(Tokens tokens, std::size_t at) {
  if (at > 1 && is(tokens, at - 1, "::") && is(tokens, at - 2, "std")) at -= 2;
  if (at > 0 && is(tokens, at - 1, "::")) --at;
  constexpr std::array<std::string_view, 3> measures = {"alignas", "alignof", "sizeof"};
  return at > 1 && is(tokens, at - 1, "(") && one_of(tokens[at - 2].text, measures) &&
         tokens[at - 2].kind == TokenKind::identifier;
}

// ThreadSanitizer, and the explorer with it, looks at accesses of 1, 2, 4, 8 and 16 bytes.
std::optional<std::string> object_to_unseen_type(Tokens tokens, std::size_t at) {
  const std::string_view word = tokens[at].text;
  const bool extended = (word == "long" && is(tokens, at + 1, "double")) ||
                        (word == "double" && is(tokens, at + 1, "long"));
  const bool other = word == "_BitInt" || word == "max_align_t" || word.starts_with("__m256") ||
                     word.starts_with("__m512");
  if ((!extended && !other) || is_only_measured(tokens, at)) return std::nullopt;
  return fmt::format("uses {}, whose size the race detectors do not look at: take another type",
                     extended ? "long double" : word);
}

// 0.5L, and not 5L or 0xFL.
bool is_long_double(const Token& token) {
  const std::string_view text = token.text;
  if (token.kind != TokenKind::number || (!text.ends_with('L') && !text.ends_with('l')))
    return false;
  const bool hex = text.starts_with("0x") || text.starts_with("0X");
  return text.contains('.') || text.find_first_of(hex ? "pP" : "eE") != std::string_view::npos;
}

std::optional<std::string> object_to_word(Tokens tokens, std::size_t at, RuleContext context) {
  const std::string_view word = tokens[at].text;
  if (auto reason = object_to_inside(word)) return reason;
  const bool of_std = at > 1 && is(tokens, at - 1, "::") && is(tokens, at - 2, "std");
  if (of_std && (word == "stacktrace" || word == "basic_stacktrace")) {
    return "asks who calls it (std::stacktrace)";
  }
  if (word == "source_location" && !context.places && !context.own_test) {
    return "asks where it is called from (source_location): a solution does the same for everybody";
  }
  if (word == "_Pragma" && !context.expanded) return object_to_pragma(tokens, at);
  if (bare(word) == "asm" || word == "__asm") return object_to_asm(tokens, at);
  if (bare(word) == "attribute" || word == "__attribute") {
    return object_to_attributes(tokens, at + 1, behind(tokens, at + 1, "(", ")"));
  }
  if ((bare(word) == "gnu" || word == "clang" || word == "_Clang") && is(tokens, at + 1, "::") &&
      at + 2 < tokens.size()) {
    return object_to_attribute(tokens, at + 2);
  }
  if (word == "using" && at > 1 && is(tokens, at - 1, "[") && is(tokens, at - 2, "[")) {
    return object_to_attributes(tokens, at + 1, behind(tokens, at - 1, "[", "]"));
  }
  if (word == "syscall") return object_to_syscall(tokens, at, context.expanded);
  if (is_sanitizer_hook(word)) return fmt::format("talks to the sanitizers ({})", word);
  if (word.starts_with("WORKBOOK_")) {
    return fmt::format("asks how the grader builds it ({})", word);
  }
  if (!context.own_test && asks_for_sanitizers(tokens, at)) {
    return fmt::format("asks whether a sanitizer looks at it ({})", word);
  }
  if (context.own_test) {
    const bool internals =
        (word == "report" || word == "ResultChannel" || word == "Reporter" || word == "Judge") &&
        at > 1 && is(tokens, at - 1, "::") && is(tokens, at - 2, "workbook");
    if (internals) return fmt::format("reaches into the kit (workbook::{})", word);
    return std::nullopt;
  }
  if (auto reason = object_to_unseen_type(tokens, at)) return reason;
  if (auto reason = object_to_namesake(tokens, at)) return reason;
  if (is_test_namespace(tokens, at)) {
    return fmt::format("speaks to the tests it is judged by (namespace {})", word);
  }
  return std::nullopt;
}

}  // namespace

std::optional<Objection> object_to_tokens(Tokens tokens, RuleContext context) {
  if (!context.own_test) {
    if (auto objection = object_to_meanings(tokens, !context.directive)) return objection;
  }
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto& token = tokens[i];
    if (token.kind == TokenKind::identifier) {
      if (auto reason = object_to_word(tokens, i, context)) {
        return Objection{token.line, std::move(*reason)};
      }
    } else if (is_long_double(token) && !context.own_test) {
      return Objection{token.line, fmt::format("has {}, a long double, whose size the race "
                                               "detectors do not look at: leave the L out",
                                               token.text)};
    } else if (token.kind == TokenKind::directive) {
      const auto [name, rest] = split_directive(token.text);
      constexpr std::array<std::string_view, 7> with_names = {
          "define", "if", "ifdef", "ifndef", "elif", "elifdef", "elifndef"};
      if (!one_of(name, with_names)) continue;
      const auto body = tokenize(rest);
      auto inside = context;
      inside.directive = true;
      if (auto inner = object_to_tokens(body, inside)) {
        inner->line = token.line;
        return inner;
      }
    }
  }
  return std::nullopt;
}

}  // namespace grader
