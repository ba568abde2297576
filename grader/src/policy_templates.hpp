#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "objection.hpp"
#include "tokens.hpp"

namespace grader {

// Templates of my_test.cpp that choose by what a type has: a parameter with a condition, or a
// signature that only fits a type with some member. Plain templates, packs and explicit
// specialisations are fine.
std::optional<Objection> object_to_templates(std::span<const Token> tokens);

}  // namespace grader
