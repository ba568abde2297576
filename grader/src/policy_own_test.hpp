// What my_test.cpp may look at: what a version does, not how it is written. A test that asks for a
// version's members, sizes or types tells versions apart without trying them.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>

#include "objection.hpp"
#include "tokens.hpp"

namespace grader {

// The macros that a submission's headers define: name -> the header's file name.
using BorrowedMacros = std::map<std::string, std::string, std::less<>>;
void add_macros(std::span<const Token> header, const std::string& file, BorrowedMacros& macros);

// The text of my_test.cpp, macro bodies included. Nothing that calls the task and looks at the
// results is refused.
std::optional<Objection> object_to_own_test(std::span<const Token> tokens,
                                            const BorrowedMacros& macros);

// What the preprocessor makes of it: the same rules, but for what GoogleTest's and RapidCheck's own
// macros are made of.
std::optional<Objection> object_to_expanded_own_test(std::span<const Token> tokens);

}  // namespace grader
