// The rules on preprocessor lines and the names of macros.
#include <algorithm>
#include <array>
#include <cctype>
#include <fmt/format.h>

#include "policy_rules.hpp"

namespace grader {

DirectiveParts split_directive(std::string_view directive) {
  directive.remove_prefix(1);
  auto end = std::size_t{0};
  while (end < directive.size() &&
         (std::isalnum(static_cast<unsigned char>(directive[end])) || directive[end] == '_')) {
    ++end;
  }
  auto rest = directive.substr(end);
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t\v\f"), rest.size()));
  return {directive.substr(0, end), rest};
}

std::string macro_name(std::string_view rest) {
  std::string name;
  for (const char c : rest) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '$' &&
        static_cast<unsigned char>(c) < 0x80) {
      break;
    }
    name += c;
  }
  return name;
}

std::string at_line(const std::filesystem::path& file, int line, std::string_view reason) {
  return fmt::format("{}:{}: {}", file.filename().string(), line, reason);
}

bool is_own_test(const std::filesystem::path& file) { return file.extension() == ".cpp"; }

bool is_for_tests(std::string_view included) {
  // The folder that it is in, and the one around that: a checkout may lie below any other.
  constexpr std::array<std::string_view, 4> folders = {"gtest", "gmock", "rapidcheck", "testing"};
  const auto folder = std::filesystem::path(included).parent_path();
  return one_of(folder.filename().string(), folders) ||
         one_of(folder.parent_path().filename().string(), folders) ||
         included.ends_with("rapidcheck.h");
}

std::optional<std::string> object_to_directive(std::string_view name, std::string_view rest) {
  constexpr std::array<std::string_view, 14> plain = {
      "if",    "ifdef", "ifndef",  "elif",    "elifdef", "elifndef", "else",
      "endif", "error", "warning", "include", "define",  "undef",    ""};
  constexpr std::array<std::string_view, 12> pragmas = {
      "redefine_extname", "weak",           "push_macro",    "pop_macro",
      "comment",          "GCC dependency", "GCC poison",    "GCC system_header",
      "clang attribute",  "clang module",   "clang section", "clang __debug"};
  if (name.empty() && !rest.empty()) return "has a # in front of something that is no word";
  if (one_of(name, plain)) return std::nullopt;
  if (name == "pragma") {
    std::string words;  // blanks as one
    for (const char c : rest) {
      const bool blank = std::isspace(static_cast<unsigned char>(c));
      if (!blank || (!words.empty() && words.back() != ' ')) words += blank ? ' ' : c;
    }
    for (const auto pragma : pragmas) {
      if (words.starts_with(pragma)) {
        return fmt::format("has #pragma {}, which changes what the tests are made of", pragma);
      }
    }
    return std::nullopt;
  }
  if (name == "line" || (!name.empty() && std::isdigit(static_cast<unsigned char>(name[0])))) {
    return "renames its own lines (#line)";
  }
  return fmt::format("has #{}, which a solution has no use for", name);
}

std::optional<std::string> object_to_macro(std::string_view name) {
  constexpr std::array<std::string_view, 101> keywords = {
      "alignas",       "alignof",     "and",
      "and_eq",        "asm",         "auto",
      "bitand",        "bitor",       "bool",
      "break",         "case",        "catch",
      "char",          "char8_t",     "char16_t",
      "char32_t",      "class",       "compl",
      "concept",       "const",       "consteval",
      "constexpr",     "constinit",   "const_cast",
      "continue",      "co_await",    "co_return",
      "co_yield",      "decltype",    "default",
      "delete",        "do",          "double",
      "dynamic_cast",  "else",        "enum",
      "explicit",      "export",      "extern",
      "false",         "float",       "for",
      "friend",        "goto",        "if",
      "inline",        "int",         "long",
      "mutable",       "namespace",   "new",
      "noexcept",      "not",         "not_eq",
      "nullptr",       "operator",    "or",
      "or_eq",         "private",     "protected",
      "public",        "register",    "reinterpret_cast",
      "requires",      "return",      "short",
      "signed",        "sizeof",      "static",
      "static_assert", "static_cast", "struct",
      "switch",        "template",    "this",
      "thread_local",  "throw",       "true",
      "try",           "typedef",     "typeid",
      "typename",      "union",       "unsigned",
      "using",         "virtual",     "void",
      "volatile",      "wchar_t",     "while",
      "xor",           "xor_eq",      "final",
      "override",      "import",      "module",
      "__attribute__", "__asm__",     "__FILE__",
      "__LINE__",      "defined"};
  if (one_of(name, keywords)) {
    return fmt::format(
        "makes a macro of the keyword `{}`; the tests would no longer say what they "
        "say",
        name);
  }
  constexpr std::array<std::string_view, 7> gtest = {
      "EXPECT_", "ASSERT_", "GTEST_", "TEST_", "RC_", "TYPED_TEST", "INSTANTIATE_"};
  constexpr std::array<std::string_view, 6> whole = {
      "TEST", "FAIL", "SUCCEED", "ADD_FAILURE", "ADD_FAILURE_AT", "SCOPED_TRACE"};
  const auto starts = [&](std::string_view prefix) { return name.starts_with(prefix); };
  if (std::ranges::any_of(gtest, starts) || one_of(name, whole)) {
    return fmt::format("redefines {}, a word of the tests themselves", name);
  }
  return std::nullopt;
}

}  // namespace grader
