#include "compile_error.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <vector>

namespace grader {
namespace {

constexpr std::size_t longest_message = 400;
constexpr std::size_t longest_line = 160;

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// "04_promise/promise.hpp:12:5: error: message", taken apart.
struct Diagnostic {
  std::string_view file;
  std::string_view place;  // "12:5"
  std::string_view kind;   // "error", "fatal error", "note"; GCC's "required from" lines: "note"
  std::string_view message;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::optional<Diagnostic> parse(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 >= line.size() ||
      !is_digit(line[colon + 1])) {
    return std::nullopt;
  }
  Diagnostic found;
  found.file = line.substr(0, colon);
  auto end = colon + 1;
  while (end < line.size() && (is_digit(line[end]) || line[end] == ':')) ++end;
  if (line[end - 1] != ':') return std::nullopt;
  found.place = line.substr(colon + 1, end - colon - 2);
  auto rest = line.substr(end);
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  for (const std::string_view kind : {"fatal error: ", "error: ", "note: "}) {
    if (rest.starts_with(kind)) {
      found.kind = kind.substr(0, kind.size() - 2);
      found.message = rest.substr(kind.size());
      return found;
    }
  }
  if (!rest.starts_with("required ")) return std::nullopt;
  found.kind = "note";
  found.message = rest;
  return found;
}

bool is_error(const Diagnostic& diagnostic) { return diagnostic.kind.ends_with("error"); }

bool is_in(const Diagnostic& diagnostic, std::string_view folder) {
  return diagnostic.file.starts_with(folder) || !diagnostic.file.starts_with('/');
}

std::string clipped_to(std::string_view text, std::size_t limit) {
  return text.size() <= limit ? std::string(text) : std::string(text.substr(0, limit)) + "...";
}

// Of a static assertion that has a message: the message, without the requirement that Clang
// repeats.
constexpr std::string_view failed_assertion = "static assertion failed";

std::string_view assertion_message(const Diagnostic& diagnostic) {
  if (!diagnostic.message.starts_with(failed_assertion)) return {};
  const std::string_view before =
      diagnostic.message.contains("due to requirement '") ? "': " : ": ";
  const auto at = diagnostic.message.rfind(before);
  return at == std::string_view::npos ? std::string_view()
                                      : diagnostic.message.substr(at + before.size());
}

std::string describe(const Diagnostic& diagnostic) {
  if (const auto message = assertion_message(diagnostic); !message.empty()) {
    return fmt::format("{}:{}: {}: {}", diagnostic.file, diagnostic.place, failed_assertion,
                       clipped_to(message, longest_message));
  }
  return fmt::format("{}:{}: {}", diagnostic.file, diagnostic.place,
                     clipped_to(diagnostic.message, longest_message));
}

// The source line and its mark that both compilers print after a diagnostic ("   12 | code").
std::string excerpt(const std::vector<std::string_view>& lines, std::size_t after) {
  std::string text;
  for (std::size_t i = after + 1; i < lines.size() && i <= after + 2; ++i) {
    const auto bar = lines[i].find('|');
    if (bar == std::string_view::npos ||
        lines[i].substr(0, bar).find_first_not_of(" 0123456789") != std::string_view::npos) {
      break;
    }
    text += "\n" + clipped_to(lines[i], longest_line);
  }
  return text;
}

// Clang says who asked for the instantiation after the error, GCC before it.
std::optional<std::size_t> requester(const std::vector<std::string_view>& lines, std::size_t error,
                                     std::string_view folder) {
  const auto fits = [&](std::size_t i) {
    const auto note = parse(lines[i]);
    return note && !is_error(*note) && is_in(*note, folder) &&
           (note->message.contains("requested here") || note->message.contains("required from"));
  };
  for (auto i = error + 1; i < lines.size(); ++i) {
    const auto next = parse(lines[i]);
    if (next && is_error(*next)) break;
    if (fits(i)) return i;
  }
  for (auto i = error; i-- > 0;) {
    const auto before = parse(lines[i]);
    if (before && is_error(*before)) break;
    if (fits(i)) return i;
  }
  return std::nullopt;
}

std::string linker_error(const std::vector<std::string_view>& lines) {
  for (const auto line : lines) {
    for (const std::string_view marker : {"undefined symbol: ", "undefined reference to "}) {
      if (const auto at = line.find(marker); at != std::string_view::npos) {
        return fmt::format("declared and used, but never defined: {}",
                           clipped_to(line.substr(at + marker.size()), longest_message));
      }
    }
    for (const std::string_view marker : {"duplicate symbol: ", "multiple definition of "}) {
      if (const auto at = line.find(marker); at != std::string_view::npos) {
        return fmt::format("defined twice (is `inline` missing?): {}",
                           clipped_to(line.substr(at + marker.size()), longest_message));
      }
    }
  }
  return {};
}

}  // namespace

std::string first_error(std::string_view log, std::string_view folder) {
  const auto lines = lines_of(log);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto error = parse(lines[i]);
    if (!error || !is_error(*error)) continue;
    // A message says more than the expression that did not hold.
    std::string text =
        describe(*error) + (assertion_message(*error).empty() ? excerpt(lines, i) : "");
    const auto asked = requester(lines, i, folder);
    if (is_in(*error, folder)) {
      if (asked) {
        const auto note = *parse(lines[*asked]);
        text += fmt::format("\nasked for at {}:{}", note.file, note.place);
      }
      return text;
    }
    // Inside the library: the place in the learner's code comes first.
    if (!asked) return text;
    const auto note = *parse(lines[*asked]);
    return fmt::format("{}:{}: {}{}\n(found in {}:{})", note.file, note.place,
                       clipped_to(error->message, longest_message), excerpt(lines, *asked),
                       error->file.substr(error->file.rfind('/') + 1), error->place);
  }
  if (auto text = linker_error(lines); !text.empty()) return text;
  for (const auto line : lines) {
    if (line.contains("error")) return clipped_to(line, longest_message);
  }
  return lines.empty() ? "" : clipped_to(lines.front(), longest_message);
}

}  // namespace grader
