#include "search/token.hpp"

#include <gtest/gtest.h>

namespace explorer {
namespace {

Token sample() {
  Token token{.test = "Explored.OneWins", .build = "5f1c2a90"};
  token.decisions = {
      {7, 2, 1, Choice::run}, {40000, 1, 31, Choice::stale_read}, {0, 0, 0, Choice::early}};
  return token;
}

TEST(Token, CarriesItsDecisions) {
  auto read = read_token(write_token(sample()));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->test, "Explored.OneWins");
  EXPECT_EQ(read->build, "5f1c2a90");
  ASSERT_EQ(read->decisions.size(), 3u);
  EXPECT_EQ(read->decisions[1].operation, 40000u);
  EXPECT_EQ(read->decisions[1].thread, 31);
  EXPECT_EQ(read->decisions[1].kind, Choice::stale_read);
}

TEST(Token, FallsBackToTheSeedWhenThereAreTooManyDecisions) {
  Token token = sample();
  token.decisions.assign(2000, {70000, 3, 2, Choice::run});
  token.mix = true;
  token.seed = 123456789;
  token.expected_steps = 512;
  std::string text = write_token(token);
  EXPECT_LT(text.size(), 100u);
  auto read = read_token(text);
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->by_seed);
  EXPECT_TRUE(read->mix);
  EXPECT_EQ(read->seed, 123456789u);
  EXPECT_EQ(read->expected_steps, 512u);
}

TEST(Token, NeedsNoQuotesInAShell) {
  Token token = sample();
  EXPECT_EQ(write_token(token).find_first_of(" \t\n'\"\\$&|;<>()*?!#`[]{}"), std::string::npos);
}

TEST(Token, RefusesAnythingElse) {
  for (const char* text : {"", "x", "a~b", "a~b~", "a~b~c-", "a~b~d-!", "a~b~d-A", "~b~d-",
                           "a~b~s-AA", "a~b~d-________________________"})
    EXPECT_FALSE(read_token(text)) << text;
  EXPECT_TRUE(read_token("a~b~d-"));
}

}  // namespace
}  // namespace explorer
