#include "disguise.hpp"

#include <algorithm>
#include <iterator>
#include <random>
#include <vector>

#include "tokens.hpp"

namespace grader {
namespace {

class Coat {
 public:
  explicit Coat(std::uint64_t seed) : chance_(seed) {}

  std::string put_on(const std::vector<Token>& tokens) {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const auto& token = tokens[i];
      if (token.kind == TokenKind::directive) {
        if (!text_.empty() && !text_.ends_with('\n')) text_ += '\n';
        text_ += token.text + "\n";
        continue;
      }
      text_ += token.text;
      text_ += roll(6) == 0 ? "\n" : " ";
      if (token.text == ":" && i > 0 && tokens[i - 1].text == "private") pad();
      if (opens_a_block(tokens, i) && roll(4) != 0) stretch();
    }
    return text_;
  }

 private:
  std::size_t roll(std::size_t sides) {
    return std::uniform_int_distribution<std::size_t>(0, sides - 1)(chance_);
  }

  std::string letters() {
    std::string word;
    for (std::size_t i = 0; i < 6; ++i) word += static_cast<char>('a' + roll(26));
    return word;
  }

  // `) {`, but for those where no statement may stand first.
  static bool opens_a_block(const std::vector<Token>& tokens, std::size_t at) {
    if (tokens[at].text != "{" || at < 2 || tokens[at - 1].text != ")") return false;
    int depth = 0;
    auto open = at - 1;
    for (;; --open) {
      if (tokens[open].text == ")") ++depth;
      if (tokens[open].text == "(" && --depth == 0) break;
      if (open == 0) return false;
    }
    if (open == 0) return false;
    const auto& before = tokens[open - 1].text;
    constexpr std::string_view others[] = {"switch",   "requires", "decltype",      "alignas",
                                           "noexcept", "explicit", "__attribute__", "sizeof"};
    return std::ranges::find(others, before) == std::end(others);
  }

  // Does nothing, in more or fewer instructions: the size of a function is no sign of anything.
  void stretch() {
    const auto name = "v" + letters();
    text_ += "if (!__builtin_is_constant_evaluated()) { volatile int " + name + " = 0; ";
    for (auto left = 1 + roll(12); left > 0; --left) {
      text_ += roll(3) == 0 ? "[] {}(); " : name + " = " + std::to_string(roll(1000)) + "; ";
    }
    text_ += "}\n";
  }

  // Compares equal and copies freely, so that a class with a defaulted operator== or a copy
  // constructor behaves as before.
  void pad() {
    const auto name = "p" + letters() + "_";
    text_ += "struct " + name + "type { unsigned char bytes[" + std::to_string(8 + 8 * roll(16)) +
             "] = {}; constexpr bool operator==(const " + name +
             "type&) const { return true; } }; " + name + "type " + name + "{};\n";
  }

  std::mt19937_64 chance_;
  std::string text_;
};

}  // namespace

std::string disguised(std::string_view source, std::uint64_t seed) {
  return Coat(seed).put_on(tokenize(source));
}

}  // namespace grader
