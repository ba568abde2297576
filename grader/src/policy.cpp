#include "policy.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <map>

#include "policy_own_test.hpp"
#include "policy_rules.hpp"

namespace grader {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t most_tokens = 50'000;

bool has_line_of_preprocessor(std::string_view literal) {
  for (auto end = literal.find('\n'); end != std::string_view::npos;
       end = literal.find('\n', end + 1)) {
    const auto next = literal.find_first_not_of(" \t\v\f\r", end + 1);
    if (next != std::string_view::npos && literal[next] == '#') return true;
  }
  return false;
}

// A no-break space and its like: white space to the compiler, and in the middle of a word to us.
bool has_foreign_blank(std::string_view word) {
  constexpr auto blanks =
      std::to_array<std::string_view>({"\xC2\x85", "\xC2\xA0", "\xE1\x9A\x80", "\xE1\xA0\x8E",
                                       "\xE2\x80", "\xE2\x81", "\xE3\x80\x80", "\xEF\xBB\xBF"});
  return std::ranges::any_of(blanks, [&](auto blank) { return word.contains(blank); });
}

// Whether an include's text stays inside what a submission may read. A name without a slash and
// with no way up is searched for; the compiler's list of files has the last word on all of them.
std::optional<std::string> object_to_include(const Stage& stage, const fs::path& file,
                                             std::string_view rest) {
  if (rest.empty() || (rest.front() != '"' && rest.front() != '<')) return std::nullopt;
  const char close = rest.front() == '"' ? '"' : '>';
  const auto name = std::string(rest.substr(1, rest.find(close, 1) - 1));
  if (is_for_tests(name) && !is_own_test(file)) {
    return fmt::format("includes {}, which is for tests", name);
  }
  if (is_suite(name) || fs::path(name).filename().string().starts_with("suite_")) {
    return fmt::format("includes {}, the tests it is judged by", name);
  }
  if (name.starts_with('/') && !name.starts_with("/usr/include/")) {
    return fmt::format("includes {}, which is none of its business", name);
  }
  if (!name.contains("..")) return std::nullopt;
  const auto target = (file.parent_path() / name).lexically_normal();
  const auto top = target.begin() == target.end() ? std::string() : target.begin()->string();
  if (top == "runtime" || top == "testing") return std::nullopt;
  for (const auto& folder : stage.include_dirs) {
    if (top == folder) return std::nullopt;
  }
  return fmt::format(
      "includes {}; a header may include the standard library, runtime/, its own "
      "folder and the tasks it builds on",
      name);
}

// The macros of one file: those it makes and takes back have no effect on the tests.
class Macros {
 public:
  Macros(const fs::path& file, const Names& protected_names)
      : file_(file), protected_(protected_names) {}

  std::optional<std::string> define(const std::string& name, int line) {
    if (auto reason = object_to_macro(name)) return at_line(file_, line, *reason);
    defined_[name] = line;
    return std::nullopt;
  }

  std::optional<std::string> undefine(const std::string& name, int line) {
    if (defined_.erase(name) != 0) return std::nullopt;
    if (object_to_macro(name) || protected_.contains(name)) {
      return at_line(file_, line, fmt::format("takes away the macro {} that the tests use", name));
    }
    return std::nullopt;
  }

  std::optional<std::string> at_end() const {
    for (const auto& [name, line] : defined_) {
      if (protected_.contains(name)) {
        return at_line(file_, line,
                       fmt::format("defines a macro {0}, and the tests use that name: they "
                                   "would no longer say what they say. Add #undef {0} at "
                                   "the end, or choose another name",
                                   name));
      }
    }
    return std::nullopt;
  }

 private:
  const fs::path& file_;
  const Names& protected_;
  std::map<std::string, int> defined_;
};

std::optional<std::string> refuse_file(const Stage& stage, const StagedFile& file,
                                       const TextRules& rules) {
  static const Names nothing;
  const bool own_test = is_own_test(file.path);
  const auto tokens = tokenize(file.bytes);
  if (tokens.size() > most_tokens) {
    return at_line(
        file.path, tokens[most_tokens].line,
        fmt::format("goes on after {} words; a solution has a hundredth of that", most_tokens));
  }
  Macros macros(file.path, own_test ? nothing : rules.protected_names);
  for (const auto& token : tokens) {
    if (token.kind == TokenKind::text && has_line_of_preprocessor(token.text)) {
      return at_line(file.path, token.line,
                     "has a raw string with a line that begins with #, which would be read as the "
                     "preprocessor's: put something before it");
    }
    if (token.kind == TokenKind::identifier && has_foreign_blank(token.text)) {
      return at_line(file.path, token.line,
                     "has a blank that is not of ASCII, which the compiler leaves out");
    }
    if (token.kind != TokenKind::directive) continue;
    if (token.text.contains('\n')) {
      return at_line(file.path, token.line,
                     "has a raw string over several lines in a line of the preprocessor");
    }
    const auto [name, rest] = split_directive(token.text);
    if (auto reason = object_to_directive(name, rest))
      return at_line(file.path, token.line, *reason);
    if (name == "include") {
      if (auto reason = object_to_include(stage, file.path, rest)) {
        return at_line(file.path, token.line, *reason);
      }
    }
    std::optional<std::string> reason;
    if (name == "define") reason = macros.define(macro_name(rest), token.line);
    if (name == "undef") reason = macros.undefine(macro_name(rest), token.line);
    if (reason) return reason;
  }
  if (auto reason = macros.at_end()) return reason;
  if (const auto objection =
          object_to_tokens(tokens, {.own_test = own_test, .places = rules.places})) {
    return at_line(file.path, objection->line, objection->reason);
  }
  return std::nullopt;
}

// A header of one's own beside my_test.cpp: other versions do not have it.
std::optional<std::string> object_to_helper(const Stage& stage, const StagedFile& test,
                                            const TextRules& rules) {
  if (rules.header.empty()) return std::nullopt;
  for (const auto& token : tokenize(test.bytes)) {
    if (token.kind != TokenKind::directive) continue;
    const auto [name, rest] = split_directive(token.text);
    if (name != "include" || rest.size() < 2) continue;
    const auto included = rest.substr(1, rest.find_first_of("\">", 1) - 1);
    const auto path = (test.path.parent_path() / included).lexically_normal();
    const auto staged = std::ranges::find(stage.files, path, &StagedFile::path);
    const bool beside = path.parent_path() == test.path.parent_path();
    if (staged == stage.files.end() || !beside || path.filename() == rules.header) continue;
    return at_line(test.path, token.line,
                   fmt::format("includes {}; the test is built beside other versions of {}, which "
                               "do not have it: a test is one file",
                               included, rules.header));
  }
  return std::nullopt;
}

// my_test.cpp beside the headers of a version: it must not see which one they are.
std::optional<std::string> refuse_own_test(const Stage& stage, const StagedFile& test,
                                           const TextRules& rules) {
  if (auto reason = object_to_helper(stage, test, rules)) return reason;
  BorrowedMacros macros;
  for (const auto& file : stage.files) {
    if (file.trusted || is_own_test(file.path)) continue;
    add_macros(tokenize(file.bytes), file.path.filename().string(), macros);
  }
  const auto objection = object_to_own_test(tokenize(test.bytes), macros);
  if (!objection) return std::nullopt;
  return at_line(test.path, objection->line, objection->reason);
}

}  // namespace

void add_names(std::string_view source, Names& names) {
  for (const auto& token : tokenize(source)) {
    if (token.kind == TokenKind::identifier) names.insert(token.text);
    if (token.kind == TokenKind::directive) {
      const auto [name, rest] = split_directive(token.text);
      if (name != "include") add_names(rest, names);
    }
  }
}

void add_names_of_macros(std::string_view definitions, Names& names) {
  for (const auto& token : tokenize(definitions)) {
    if (token.kind != TokenKind::directive) continue;
    const auto rest = split_directive(token.text).rest;
    auto body = rest.substr(macro_name(rest).size());
    if (body.starts_with('(')) body.remove_prefix(std::min(body.find(')'), body.size()));
    add_names(body, names);
  }
}

std::optional<std::string> refuse_source(const Stage& stage, const TextRules& rules) {
  for (const auto& file : stage.files) {
    if (file.trusted) continue;
    if (auto reason = refuse_file(stage, file, rules)) return reason;
    if (!is_own_test(file.path)) continue;
    if (auto reason = refuse_own_test(stage, file, rules)) return reason;
  }
  return std::nullopt;
}

std::optional<std::string> refuse_dependencies(const Stage& stage, std::string_view rule,
                                               const std::vector<std::string>& allowed) {
  std::vector<std::string> files(1);
  rule.remove_prefix(std::min(rule.find(": ") + 1, rule.size()));
  for (std::size_t i = 0; i < rule.size(); ++i) {
    const bool escaped = rule[i] == '\\' && i + 1 < rule.size();
    if (escaped && rule[i + 1] != '\n') {
      files.back() += rule[++i];
    } else if (std::isspace(static_cast<unsigned char>(rule[i])) || escaped) {
      if (!files.back().empty()) files.emplace_back();
    } else {
      files.back() += rule[i];
    }
  }
  for (const auto& file : files) {
    if (file.empty()) continue;
    const auto normal = fs::path(file).lexically_normal();
    const auto starts = [&](const std::string& folder) {
      return normal.string().starts_with(folder);
    };
    if (normal.is_absolute() && std::ranges::any_of(allowed, starts)) continue;
    if (normal.is_relative()) {
      const auto top = normal.begin()->string();
      const bool linked = top == "runtime" || top == "testing";
      const auto staged = std::ranges::find(stage.files, normal, &StagedFile::path);
      if (linked || staged != stage.files.end()) continue;
    }
    return fmt::format(
        "the header includes {}; it may include the standard library, runtime/, its "
        "own folder and the tasks it builds on",
        file);
  }
  return std::nullopt;
}

}  // namespace grader
