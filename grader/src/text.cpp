#include "text.hpp"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>

namespace grader {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
char lower(char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; }
bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

// How many bytes the code point at the start takes; 0 when it is no valid UTF-8 or a control.
std::size_t printable_bytes(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return first >= 0x20 && first != 0x7F ? 1 : 0;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 0;
  if (length == 0 || first > 0xF4 || text.size() < length) return 0;
  if (!std::ranges::all_of(text.substr(1, length - 1), continues)) return 0;
  if (first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0) return 0;  // C1 controls
  // Marks that change the direction of what follows, or that nobody sees.
  if (text.starts_with("\xE2\x80") && static_cast<unsigned char>(text[2]) >= 0xAA &&
      static_cast<unsigned char>(text[2]) <= 0xAE) {
    return 0;
  }
  if (text.starts_with("\xE2\x81")) return 0;
  return length;
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return !continues(c); }));
}

std::string clipped(std::string_view text, std::size_t width) {
  if (columns(text) <= width) return std::string(text);
  std::string out;
  std::size_t taken = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!continues(text[i]) && ++taken >= width) break;
    out += text[i];
  }
  return out + "…";
}

std::string padded(std::string_view text, std::size_t width) {
  auto out = clipped(text, width);
  out.append(width - std::min(width, columns(out)), ' ');
  return out;
}

std::string filled(std::string_view text, std::size_t width, std::size_t hanging) {
  std::string out;
  std::size_t column = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (is_space(text[at])) {
      ++at;
      continue;
    }
    auto end = at;
    while (end < text.size() && !is_space(text[end])) ++end;
    const auto word = text.substr(at, end - at);
    if (column > 0 && column + 1 + columns(word) > width) {
      out += '\n';
      out.append(hanging, ' ');
      column = hanging;
    } else if (column > 0) {
      out += ' ';
      ++column;
    }
    out += word;
    column += columns(word);
    at = end;
  }
  return out;
}

std::string indented(std::string_view text, std::size_t spaces) {
  std::string out;
  for (const auto line : split_lines(text)) {
    if (!line.empty()) out.append(spaces, ' ');
    out += line;
    out += '\n';
  }
  return out;
}

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const char c = text.front();
    const auto good = printable_bytes(text);
    if (c == '\n') {
      out += c;
    } else if (c == '\t') {
      out += "  ";
    } else if (good == 0) {
      if (c != '\r') out += '?';
    } else {
      out += text.substr(0, good);
    }
    text.remove_prefix(std::max<std::size_t>(good, 1));
  }
  return out;
}

std::string counted(long count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string as_sentence(std::string_view test_name) {
  const auto dot = test_name.find('.');
  const auto name = dot == std::string_view::npos ? test_name : test_name.substr(dot + 1);
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const char before = i > 0 ? name[i - 1] : '\0';
    const char after = i + 1 < name.size() ? name[i + 1] : '\0';
    // "ASecond" starts two words, "TheURLIs" keeps URL whole, "All1000Resolvers" sets 1000 apart.
    const bool starts_word = (is_upper(c) && !is_upper(before)) ||
                             (is_upper(c) && is_upper(before) && after != '\0' &&
                              !is_upper(after) && !is_digit(after) && after != '_') ||
                             (is_digit(c) && !is_digit(before) && !is_upper(before));
    if (c == '_' || c == '/') {
      if (!out.empty()) out += ' ';
      continue;
    }
    if (starts_word && !out.empty() && out.back() != ' ') out += ' ';
    const bool acronym = is_upper(c) && (is_upper(after) || (is_upper(before) && !starts_word));
    const bool single = is_upper(c) && is_upper(after) && starts_word && i + 2 < name.size() &&
                        !is_upper(name[i + 2]);
    out += acronym && !single ? c : lower(c);
  }
  return out;
}

std::string_view suite_of(std::string_view test_name) {
  return test_name.substr(0, std::min(test_name.find('.'), test_name.size()));
}

}  // namespace grader
