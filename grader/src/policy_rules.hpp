#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "objection.hpp"
#include "tokens.hpp"

namespace grader {

struct RuleContext {
  bool own_test = false;   // my_test.cpp: speaks to GoogleTest and the kit by right
  bool expanded = false;   // after the preprocessor
  bool places = false;     // the task is about source lines: std::source_location is fine
  bool directive = false;  // the body of a macro or a condition
};

// Tokens that reach around the tests: assembler, attributes that rename, hide or reorder, system
// calls by number, sanitizer hooks, GoogleTest's and the kit's own names. Macro bodies included.
std::optional<Objection> object_to_tokens(std::span<const Token> tokens, RuleContext context);

// One "#..." line other than #include and #define.
std::optional<std::string> object_to_directive(std::string_view name, std::string_view rest);

// "#define X(a) body" -> name "define", rest "X(a) body".
struct DirectiveParts {
  std::string_view name;
  std::string_view rest;
};
DirectiveParts split_directive(std::string_view directive);

// The macro that a #define or #undef is about: "X(a) body" -> "X".
std::string macro_name(std::string_view rest);

// "promise.hpp:12: reason".
std::string at_line(const std::filesystem::path& file, int line, std::string_view reason);

bool is_own_test(const std::filesystem::path& file);

// GoogleTest, RapidCheck or the kit: a suite's, and not a header's.
bool is_for_tests(std::string_view included);

// A name that no header may define as a macro, whatever its suite looks like.
std::optional<std::string> object_to_macro(std::string_view name);

}  // namespace grader
