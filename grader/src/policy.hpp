#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "stage.hpp"

namespace grader {

// What a submitted header may contain. Every check gives the reason to refuse it, addressed to its
// author ("promise.hpp:12: ..."), or nullopt. Nothing that a solution of any kind needs is refused;
// what is refused would change the tests, hide from them, or reach around them.

// Words that trusted sources use: a macro of one of these names would rewrite them.
using Names = std::set<std::string, std::less<>>;
void add_names(std::string_view source, Names& names);
// What `#define` lines expand to: words that a source uses without saying them.
void add_names_of_macros(std::string_view definitions, Names& names);

struct TextRules {
  Names protected_names{};
  bool places = false;   // the task is about source lines: std::source_location is fine
  std::string header{};  // what the task's header is called; empty: any
};

// Before compiling: directives and tokens of the submitted files, `#if 0` or not.
std::optional<std::string> refuse_source(const Stage& stage, const TextRules& rules);

// After the preprocessor: the same, where macros hid it. `expanded` is the compiler's -E -dD output
// with line markers; what comes from the stage's submitted files is looked at, and whether a macro
// of theirs is in force where a file of somebody else's is read. `read` gives such a file's text.
std::optional<std::string> refuse_expansion(
    const Stage& stage, std::string_view expanded, const TextRules& rules,
    const std::function<std::string(const std::filesystem::path&)>& read);

// How much of the preprocessor's output comes from submitted files: known before anything is made
// of it that takes many times that much memory.
std::size_t submitted_bytes(const Stage& stage, std::string_view expanded);

// What the submitted files are after the preprocessor, without white space and comments: the same
// in every flavour, or the header knows who looks at it.
std::string submitted_text(const Stage& stage, std::string_view expanded);

// After compiling: the make rule that lists every file that was read. `allowed` are folders, as
// the compiler saw them; relative names are the stage's own.
std::optional<std::string> refuse_dependencies(const Stage& stage, std::string_view rule,
                                               const std::vector<std::string>& allowed);

}  // namespace grader
