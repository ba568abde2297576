#include "search/token.hpp"

#include <charconv>

namespace explorer {
namespace {

constexpr std::string_view digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::size_t longest = 1200;  // characters of decisions before a seed is shorter

// Five bits a character, the sixth says that more follow.
void put(std::string& out, std::uint64_t value) {
  do {
    std::uint64_t part = value & 31;
    value >>= 5;
    out += digits[part | (value ? 32u : 0u)];
  } while (value);
}

bool get(std::string_view& in, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64; shift += 5) {
    if (in.empty()) return false;
    std::size_t digit = digits.find(in.front());
    if (digit == std::string_view::npos) return false;
    in.remove_prefix(1);
    value |= static_cast<std::uint64_t>(digit & 31) << shift;
    if (!(digit & 32)) return true;
  }
  return false;
}

std::string write_decisions(const std::vector<Decision>& decisions) {
  std::string out;
  for (const Decision& decision : decisions) {
    put(out, decision.thread);
    put(out, static_cast<std::uint64_t>(decision.kind));
    put(out, decision.operation);
    put(out, decision.value);
  }
  return out;
}

bool read_decisions(std::string_view in, std::vector<Decision>& decisions) {
  while (!in.empty()) {
    std::uint64_t thread, kind, operation, value;
    if (!get(in, thread) || !get(in, kind) || !get(in, operation) || !get(in, value)) return false;
    if (decisions.size() == max_decisions || thread >= max_threads || kind > 255) return false;
    decisions.push_back({static_cast<std::uint32_t>(operation), static_cast<std::uint16_t>(value),
                         static_cast<std::uint8_t>(thread), static_cast<Choice>(kind)});
  }
  return true;
}

}  // namespace

std::string write_token(const Token& token) {
  std::string head = token.test + "~" + token.build + "~";
  if (!token.by_seed) {
    std::string decisions = write_decisions(token.decisions);
    if (decisions.size() <= longest) return head + "d-" + decisions;
  }
  std::string body = "s-";
  put(body, token.mix);
  put(body, token.seed);
  put(body, token.expected_steps);
  return head + body;
}

std::optional<Token> read_token(std::string_view text) {
  std::size_t first = text.find('~');
  std::size_t second = first == std::string_view::npos ? first : text.find('~', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  Token token;
  token.test = text.substr(0, first);
  token.build = text.substr(first + 1, second - first - 1);
  std::string_view body = text.substr(second + 1);
  if (token.test.empty() || body.size() < 2 || body[1] != '-') return std::nullopt;
  char form = body[0];
  body.remove_prefix(2);
  if (form == 'd') {
    if (!read_decisions(body, token.decisions)) return std::nullopt;
    return token;
  }
  std::uint64_t mix;
  if (form != 's' || !get(body, mix) || !get(body, token.seed) ||
      !get(body, token.expected_steps) || !body.empty())
    return std::nullopt;
  token.by_seed = true;
  token.mix = mix != 0;
  return token;
}

}  // namespace explorer
