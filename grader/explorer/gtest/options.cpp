#include "gtest/options.hpp"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>

namespace explorer {
namespace {

[[noreturn]] void refuse(std::string_view argument) {
  std::fprintf(stderr, "what is %.*s?\n%s", static_cast<int>(argument.size()), argument.data(),
               usage_text);
  std::exit(2);
}

template <class Number>
void read_number(std::string_view argument, std::string_view text, Number& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) refuse(argument);
}

std::optional<std::string_view> value_of(std::string_view argument, std::string_view name) {
  if (!argument.starts_with(name) || argument.size() <= name.size() || argument[name.size()] != '=')
    return std::nullopt;
  return argument.substr(name.size() + 1);
}

bool take(Options& options, std::string_view argument) {
  if (argument == "--explore_verbose") return options.verbose = true;
  if (argument == "--explore_observe") return options.observe = true;
  if (auto value = value_of(argument, "--explore_seconds"))
    return read_number(argument, *value, options.seconds), true;
  if (auto value = value_of(argument, "--explore_schedules"))
    return read_number(argument, *value, options.schedules), true;
  if (auto value = value_of(argument, "--explore_seed"))
    return read_number(argument, *value, options.seed), true;
  if (auto value = value_of(argument, "--explore_bound"))
    return read_number(argument, *value, options.bound), true;
  if (auto value = value_of(argument, "--explore_values"))
    return options.values = *value != "0", true;
  if (auto value = value_of(argument, "--replay")) return options.replay = *value, true;
  if (auto value = value_of(argument, "--story_svg")) return options.story_svg = *value, true;
  if (auto value = value_of(argument, "--story_trace")) return options.story_trace = *value, true;
  if (auto value = value_of(argument, "--story_columns"))
    return read_number(argument, *value, options.columns), true;
  return false;
}

}  // namespace

Options parse_options(int& argc, char** argv) {
  Options options;
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    std::string_view argument = argv[i];
    if (take(options, argument)) continue;
    if (argument.starts_with("--explore") || argument.starts_with("--story") ||
        argument.starts_with("--replay"))
      refuse(argument);
    if (argument == "--help") std::fputs(usage_text, stdout);
    argv[kept++] = argv[i];
  }
  argc = kept;
  argv[argc] = nullptr;
  return options;
}

}  // namespace explorer
