// What the rules say after the preprocessor: the text that the compiler really gets.
#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <map>
#include <set>

#include "policy.hpp"
#include "policy_own_test.hpp"
#include "policy_rules.hpp"

namespace grader {
namespace fs = std::filesystem;
namespace {

// One line of -E -dD output, with the file and the line it came from.
struct Line {
  std::string_view file;
  int number = 0;
  std::string_view text;
};

// How the text goes from one file to another: into one that is included and back, or because it
// says that it does (#line).
enum class Way { included, said };

Way way_of(std::string_view flags) {
  return flags.starts_with(" 1") || flags.starts_with(" 2") ? Way::included : Way::said;
}

// Calls visit(line) for each line of text, and enter(from, to, way) where the compiler goes from
// one file to another.
template <class Visit, class Enter>
void for_each_line(std::string_view expanded, const Visit& visit, const Enter& enter) {
  std::set<std::string> names;  // as they are without detours: "04_promise/./helper.hpp"
  std::string_view file;
  int number = 0;
  while (!expanded.empty()) {
    const auto end = std::min(expanded.find('\n'), expanded.size());
    const auto text = expanded.substr(0, end);
    expanded.remove_prefix(std::min(end + 1, expanded.size()));
    const bool marker = text.starts_with("# ") && text.size() > 2 &&
                        std::isdigit(static_cast<unsigned char>(text[2]));
    if (!marker) {
      visit(Line{file, number++, text});
      continue;
    }
    std::from_chars(text.data() + 2, text.data() + text.size(), number);
    const auto open = text.find('"');
    const auto close = text.rfind('"');
    if (open == std::string_view::npos || close <= open) continue;
    const fs::path written = text.substr(open + 1, close - open - 1);
    const std::string_view next = *names.insert(written.lexically_normal().string()).first;
    if (next != file) enter(file, next, way_of(text.substr(close + 1)));
    file = next;
  }
}

// Names that are there to be defined before the library's headers are read.
bool is_a_switch(std::string_view name) {
  constexpr auto switches = std::to_array<std::string_view>(
      {"_GNU_SOURCE", "_POSIX_C_SOURCE", "_XOPEN_SOURCE", "_DEFAULT_SOURCE", "NDEBUG",
       "__STDC_FORMAT_MACROS", "__STDC_LIMIT_MACROS", "__STDC_CONSTANT_MACROS"});
  return one_of(name, switches);
}

// The macros of the submitted headers, while they are in force.
class MacrosInForce {
 public:
  // A #define or #undef; only what submitted headers define is kept.
  void read(const Line& line, bool submitted) {
    const auto [directive, rest] = split_directive(line.text);
    const auto name = macro_name(rest);
    if (directive == "undef") macros_.erase(name);
    if (directive == "define" && submitted && !is_a_switch(name)) {
      macros_[name] = {line.file, line.number};
    }
  }

  bool empty() const { return macros_.empty(); }

  // Somebody else's file that uses `names` is read now.
  std::optional<std::string> object_to(std::string_view file, const Names& names) const {
    for (const auto& [name, place] : macros_) {
      if (!names.contains(name)) continue;
      return at_line(place.file, place.line,
                     fmt::format("the macro {0} is in force where {1} is read, which uses that "
                                 "name and would say something else. Include first, and #undef "
                                 "{0} at the end",
                                 name, fs::path(file).filename().string()));
    }
    return std::nullopt;
  }

 private:
  struct Place {
    fs::path file;
    int line = 0;
  };
  std::map<std::string, Place, std::less<>> macros_;
};

// The text of each submitted file, its lines at their places.
class Parts {
 public:
  explicit Parts(const Stage& stage) {
    for (const auto& file : stage.files) {
      if (!file.trusted) parts_[file.path.string()];
    }
  }

  bool has(std::string_view file) const { return parts_.contains(file); }

  void add(const Line& line) {
    auto& part = parts_.find(line.file)->second;
    // Where a file goes forward; a second look at it starts where it is.
    for (; part.reached < line.number - 1; ++part.reached) part.text += '\n';
    part.text += line.text;
    part.text += '\n';
    ++part.reached;
  }

  template <class Visit>
  void for_each(const Visit& visit) const {
    for (const auto& [name, part] : parts_) visit(fs::path(name), part.text);
  }

 private:
  struct Part {
    std::string text;
    int reached = 0;
  };
  std::map<std::string, Part, std::less<>> parts_;
};

bool is_definition(std::string_view text) {
  return text.starts_with("#define ") || text.starts_with("#undef ");
}

std::optional<std::string> object_to_part(const fs::path& file, std::string_view text,
                                          RuleContext context) {
  const auto tokens = tokenize(text);
  for (const auto& token : tokens) {
    if (token.kind != TokenKind::directive) continue;
    const auto [directive, rest] = split_directive(token.text);
    if (auto reason = object_to_directive(directive, rest)) {
      return at_line(file, token.line, *reason);
    }
  }
  auto objection = object_to_tokens(tokens, context);
  if (!objection && context.own_test) objection = object_to_expanded_own_test(tokens);
  if (!objection) return std::nullopt;
  return at_line(file, objection->line, objection->reason);
}

}  // namespace

std::optional<std::string> refuse_expansion(
    const Stage& stage, std::string_view expanded, const TextRules& rules,
    const std::function<std::string(const fs::path&)>& read) {
  Parts parts(stage);
  MacrosInForce macros;
  std::optional<std::string> refused;
  std::map<std::string, Names, std::less<>> names_of_files;
  const auto visit = [&](const Line& line) {
    const bool submitted = parts.has(line.file);
    if (is_definition(line.text)) {
      macros.read(line, submitted && !is_own_test(line.file));
    } else if (submitted) {
      parts.add(line);
    }
  };
  const auto enter = [&](std::string_view from, std::string_view file, Way way) {
    if (!refused && way == Way::said && parts.has(from)) {
      refused = fmt::format("{} says that it goes on as {} (#line)", from, file);
    }
    if (refused || parts.has(file) || file.starts_with('<')) return;
    if (parts.has(from) && !is_own_test(from) && is_for_tests(file)) {
      refused = fmt::format("{} includes {}, which is for tests", from, file);
    }
    if (refused || macros.empty()) return;
    const auto staged = std::ranges::find(stage.files, fs::path(file), &StagedFile::path);
    if (staged != stage.files.end()) {
      refused = macros.object_to(file, rules.protected_names);
      return;
    }
    const auto [names, unread] = names_of_files.try_emplace(std::string(file));
    if (unread) add_names(read(file), names->second);
    refused = macros.object_to(file, names->second);
  };
  for_each_line(expanded, visit, enter);
  parts.for_each([&](const fs::path& file, std::string_view text) {
    const RuleContext context{
        .own_test = is_own_test(file), .expanded = true, .places = rules.places};
    if (!refused) refused = object_to_part(file, text, context);
  });
  return refused;
}

std::size_t submitted_bytes(const Stage& stage, std::string_view expanded) {
  const Parts parts(stage);
  std::size_t bytes = 0;
  const auto* const end = expanded.data() + expanded.size();
  const auto visit = [&](const Line& line) {
    if (!parts.has(line.file)) return;
    const bool has_end = line.text.data() + line.text.size() != end;
    bytes += line.text.size() + (has_end ? 1 : 0);
  };
  for_each_line(expanded, visit, [](std::string_view, std::string_view, Way) {});
  return bytes;
}

std::string submitted_text(const Stage& stage, std::string_view expanded) {
  Parts parts(stage);
  const auto visit = [&](const Line& line) {
    if (parts.has(line.file) && !is_definition(line.text)) parts.add(line);
  };
  for_each_line(expanded, visit, [](std::string_view, std::string_view, Way) {});
  std::string all;
  parts.for_each([&](const fs::path& file, std::string_view text) {
    all += file.string() + "\n";
    for (const auto& token : tokenize(text)) all += token.text + "\n";
  });
  return all;
}

}  // namespace grader
