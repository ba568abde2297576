#include "readme_folds.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "text.hpp"

namespace grader {
namespace {

struct Fold {
  std::string summary;    // lower case, tags out
  std::size_t begin = 0;  // of the body
  std::size_t end = 0;
};

std::string lower_without_tags(std::string_view text) {
  std::string out;
  bool in_tag = false;
  for (const char c : text) {
    if (c == '<') in_tag = true;
    if (!in_tag) out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (c == '>') in_tag = false;
  }
  return std::string(trimmed(out));
}

std::vector<Fold> find_folds(std::string_view page) {
  constexpr std::string_view kOpen = "<summary>";
  constexpr std::string_view kOpened = "</summary>";
  constexpr std::string_view kClose = "</details>";
  std::vector<Fold> folds;
  for (auto at = page.find("<details"); at != std::string_view::npos;
       at = page.find("<details", at + 1)) {
    const auto open = page.find(kOpen, at);
    const auto opened = page.find(kOpened, at);
    const auto close = page.find(kClose, at);
    if (open >= opened || opened >= close || close == std::string_view::npos) continue;
    const auto words = page.substr(open + kOpen.size(), opened - open - kOpen.size());
    folds.push_back({lower_without_tags(words), opened + kOpened.size(), close});
  }
  return folds;
}

bool is_reference(const Fold& fold) {
  return fold.summary.find("reference") != std::string::npos ||
         fold.summary.find("solution") != std::string::npos;
}

// The code between the first ``` line and the next, as offsets into `page`.
std::optional<std::pair<std::size_t, std::size_t>> find_code(std::string_view page,
                                                             const Fold& fold) {
  const auto fence = page.find("```", fold.begin);
  if (fence >= fold.end) return std::nullopt;
  const auto begin = page.find('\n', fence) + 1;
  const auto end = page.find("\n```", begin - 1);
  if (end >= fold.end) return std::nullopt;
  return std::pair{begin, end + 1};
}

std::string inline_markup(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kEntities = {
      {{"&lt;", "<"},
       {"&gt;", ">"},
       {"&amp;", "&"},
       {"&quot;", "\""},
       {"&nbsp;", " "},
       {"**", ""}}};
  std::string out;
  while (!text.empty()) {
    const auto* const entity = std::ranges::find_if(
        kEntities, [&](const auto& pair) { return text.starts_with(pair.first); });
    if (entity != kEntities.end()) {
      out += entity->second;
      text.remove_prefix(entity->first.size());
    } else {
      if (text.front() != '`') out += text.front();
      text.remove_prefix(1);
    }
  }
  return out;
}

bool starts_item(std::string_view line) {
  if (line.starts_with("- ") || line.starts_with("* ")) return true;
  const auto digits = line.find_first_not_of("0123456789");
  return digits != 0 && digits != std::string_view::npos && line.substr(digits, 2) == ". ";
}

}  // namespace

Folds read_folds(std::string_view readme) {
  Folds folds;
  for (const auto& fold : find_folds(readme)) {
    if (is_reference(fold)) {
      if (const auto code = find_code(readme, fold); code && !folds.reference) {
        folds.reference = readme.substr(code->first, code->second - code->first);
      }
    } else if (fold.summary.starts_with("hint")) {
      folds.hints.emplace_back(trimmed(readme.substr(fold.begin, fold.end - fold.begin)));
    }
  }
  return folds;
}

std::optional<std::string> with_reference(std::string_view readme, std::string_view code) {
  for (const auto& fold : find_folds(readme)) {
    const auto place = is_reference(fold) ? find_code(readme, fold) : std::nullopt;
    if (!place) continue;
    std::string page(readme.substr(0, place->first));
    page += code;
    if (!code.ends_with('\n')) page += '\n';
    page += readme.substr(place->second);
    return page;
  }
  return std::nullopt;
}

std::string plain_markdown(std::string_view markdown, std::size_t width) {
  std::string out;
  std::string paragraph;
  std::size_t hanging = 0;
  const auto finish = [&] {
    if (!paragraph.empty()) out += filled(inline_markup(paragraph), width, hanging) + "\n";
    paragraph.clear();
    hanging = 0;
  };
  bool in_code = false;
  for (const auto line : split_lines(markdown)) {
    if (trimmed(line).starts_with("```")) {
      finish();
      in_code = !in_code;
    } else if (in_code) {
      out += "    ";
      out += line;
      out += '\n';
    } else if (trimmed(line).empty()) {
      finish();
      if (!out.empty() && !out.ends_with("\n\n")) out += '\n';
    } else {
      if (starts_item(trimmed(line))) {
        finish();
        hanging = trimmed(line).find(' ') + 1;
      }
      if (!paragraph.empty()) paragraph += ' ';
      paragraph += trimmed(line);
    }
  }
  finish();
  while (out.ends_with("\n\n")) out.pop_back();
  return out;
}

}  // namespace grader
