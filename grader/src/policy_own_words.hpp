// One word of my_test.cpp after the other: which of them ask how a version is written.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <string_view>

#include "objection.hpp"
#include "policy_own_test.hpp"
#include "tokens.hpp"

namespace grader {

struct OwnTestContext {
  bool expanded = false;
  bool std_is_open = false;        // using namespace std
  std::set<std::string_view> own;  // classes of the test's own
  const BorrowedMacros* macros = nullptr;
};

// What the whole text says about its words. The views are of the tokens.
OwnTestContext context_of(std::span<const Token> tokens);

std::optional<Objection> object_to_words(std::span<const Token> tokens,
                                         const OwnTestContext& context);

}  // namespace grader
