// A token names one schedule of one test of one build: short, and safe to paste into a shell.
//
//   Explored.OneWins~5f1c2a90~d-AQIBAAM     the decisions that differ from the default
//   Explored.OneWins~5f1c2a90~s3-1742       strategy and seed, when the decisions are too many
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/shared.hpp"

namespace explorer {

struct Token {
  std::string test;
  std::string build;
  std::vector<Decision> decisions;
  bool by_seed = false;
  bool mix = false;
  std::uint64_t seed = 0;
  std::uint64_t expected_steps = 0;  // what PCT was told: part of how a seed is read
};

std::string write_token(const Token& token);

// Nullopt when the text is not a token.
std::optional<Token> read_token(std::string_view text);

}  // namespace explorer
