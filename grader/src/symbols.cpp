#include "symbols.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cxxabi.h>
#include <fmt/format.h>
#include <memory>

#include "symbol_words.hpp"

namespace grader {
namespace {

using Words = std::span<const std::string_view>;

// Parts of the mangled names of std::basic_filebuf and what is built on it.
constexpr auto file_classes =
    std::to_array<std::string_view>({"13basic_filebufI", "14basic_ifstreamI", "14basic_ofstreamI",
                                     "13basic_fstreamI", "12__basic_fileI", "NSt10filesystem"});

bool contains(Words words, std::string_view name) {
  return std::ranges::find(words, name) != words.end();
}

std::string_view without_version(std::string_view name) { return name.substr(0, name.find('@')); }

// "__open64_2" and "__read_chk" are what fortified calls become.
std::string_view plain_name(std::string_view name) {
  name = without_version(name);
  if (name.starts_with("__") && name.ends_with("_chk")) return name.substr(2, name.size() - 6);
  if (name.starts_with("__") && name.ends_with("_2")) return name.substr(2, name.size() - 4);
  return name;
}

// What glibc also calls it: __open, __libc_fork, __read_nocancel, ftruncate64. Empty: nothing else.
std::string_view usual_name(std::string_view name) {
  const auto whole = name;
  if (name.starts_with("_Z")) return {};
  if (name.starts_with("__libc_")) name.remove_prefix(7);
  name.remove_prefix(std::min(name.find_first_not_of('_'), name.size()));
  for (const std::string_view start : {"isoc99_", "isoc23_"}) {  // another standard's scanf, strtol
    if (name.starts_with(start)) name.remove_prefix(start.size());
  }
  for (const std::string_view end : {"_nocancel", "64", "_time64"}) {
    if (name.size() > end.size() && name.ends_with(end)) name.remove_suffix(end.size());
  }
  return name == whole ? std::string_view() : name;
}

std::optional<std::string> object_to_name(std::string_view name,
                                          std::span<const std::string> allows) {
  const auto open = [&](std::string_view group) {
    return std::ranges::find(allows, group) != allows.end();
  };
  if (is_of(CallGroup::processes, name) && !open("processes")) {
    return fmt::format("calls {}(): a solution starts threads, and leaves processes alone", name);
  }
  if (is_of(CallGroup::files, name) && !open("files")) {
    return fmt::format("calls {}(): this task has nothing to do with files", name);
  }
  if (is_of(CallGroup::network, name) && !open("network")) {
    return fmt::format("calls {}(): this task has nothing to do with sockets or pipes", name);
  }
  if (is_of(CallGroup::inside, name)) {
    return fmt::format("uses {}, which reaches into the running test program", name);
  }
  return std::nullopt;
}

// C names that compilers themselves emit.
bool is_from_the_compiler(std::string_view name) {
  constexpr std::array<std::string_view, 9> prefixes = {
      "__clang_call_terminate", "DW.ref.",  "__odr_asan", "___asan",     "__llvm_",
      "__x86.get_pc_thunk",     "__emutls", "_GLOBAL_",   "__cxx_global"};
  return std::ranges::any_of(prefixes, [&](auto prefix) { return name.starts_with(prefix); }) ||
         name.starts_with("__covrec") || name.starts_with("asan.") || name.starts_with("tsan.") ||
         name.starts_with("ubsan.");
}

std::optional<std::string> object_to_wanted(std::string_view symbol,
                                            std::span<const std::string> allows) {
  const auto name = plain_name(symbol);
  if (auto reason = object_to_name(name, allows)) return reason;
  if (auto reason = object_to_name(usual_name(name), allows)) return reason;
  if (name.starts_with("_IO_") || name.starts_with("_dl_") || name.starts_with("_rtld_")) {
    return fmt::format("uses {}, which reaches into the running test program", name);
  }
  // Those of integers are templates, and compiled with the header.
  if (name.starts_with("_ZSt8to_chars") || name.starts_with("_ZSt10from_chars")) {
    return "writes or reads memory where no race detector sees it (to_chars, from_chars of a "
           "floating-point number)";
  }
  if (name.contains("stdio_filebuf")) {
    return "writes to file descriptors that it did not open (stdio_filebuf)";
  }
  const bool streams =
      std::ranges::any_of(file_classes, [&](auto part) { return name.contains(part); });
  const bool open = std::ranges::find(allows, std::string_view("files")) != allows.end();
  if (streams && !open) {
    return "opens files (std::fstream, std::filesystem): this task has nothing to do with files";
  }
  const auto whole = without_version(symbol);  // "__asan_stack_malloc_2" is no fortified call
  if (!name.starts_with("_Z") && !is_from_the_compiler(whole) && !is_known(whole) &&
      !is_known(name) && !is_known(usual_name(name))) {
    return fmt::format(
        "calls {}(), of which the workbook does not know what it does to memory that threads "
        "share: is there something in C++'s own library? (Its maintainers can add harmless ones.)",
        name);
  }
  return std::nullopt;
}

// Whoever uses the tests' templates defines instances of them, weakly; opening their namespaces to
// put something else there is what the rules on the text refuse.
bool is_instance_of_the_tests(std::string_view name) {
  return name.starts_with("_ZN7testing") || name.starts_with("_ZN8workbook");
}

// What a suite compares, as GoogleTest's templates know it: the types on both sides.
bool is_comparison_of_the_tests(std::string_view name) {
  constexpr auto helpers =
      std::to_array<std::string_view>({"CmpHelper", "EqHelper", "15AssertionResultC"});
  return name.starts_with("_ZN7testing") &&
         std::ranges::any_of(helpers, [&](auto helper) { return name.contains(helper); });
}

// "CmpHelperEQ<futures::Anything, int>" of the whole name of such a function.
std::string compared(const std::string& name) {
  const std::unique_ptr<char, void (*)(void*)> readable(
      abi::__cxa_demangle(name.c_str(), nullptr, nullptr, nullptr), std::free);
  if (!readable) return name;
  std::string_view text = readable.get();
  text = text.substr(0, text.find('('));
  const auto from = text.rfind("::", text.find('<'));
  return std::string(from == std::string_view::npos ? text : text.substr(from + 2));
}

// What the tests call in GoogleTest or the kit, but for printing: how a value is shown depends on
// its type, which may be the header's.
bool is_part_of_the_tests(std::string_view name) {
  constexpr std::array<std::string_view, 10> prefixes = {
      "_ZN7testing",   "_ZNK7testing",   "_ZTVN7testing",  "_ZTIN7testing",  "_ZN8workbook",
      "_ZNK8workbook", "_ZTVN8workbook", "_ZTIN8workbook", "_ZGVN8workbook", "_ZN2rc"};
  return std::ranges::any_of(prefixes, [&](auto prefix) { return name.starts_with(prefix); }) &&
         !name.contains("Print");
}

// Operators new and delete for everybody: _Znwm, _Znam, _ZdlPv...; a class's own are _ZN... The
// placement forms are inline functions of <new>, which every caller has a copy of.
bool replaces_new_or_delete(std::string_view name) {
  constexpr std::array<std::string_view, 4> operators = {"_Znw", "_Zna", "_Zdl", "_Zda"};
  constexpr std::array<std::string_view, 4> placement = {"_ZnwmPv", "_ZnamPv", "_ZdlPvS_",
                                                         "_ZdaPvS_"};
  return std::ranges::any_of(operators, [&](auto prefix) { return name.starts_with(prefix); }) &&
         !contains(placement, name);
}

std::optional<std::string> object_to_function(std::string_view name) {
  if (replaces_new_or_delete(name)) {
    return "replaces operator new or delete of the whole program";
  }
  if (name.starts_with("_Z")) {
    if (is_instance_of_the_tests(name)) return "defines functions of the tests it is judged by";
    return std::nullopt;
  }
  if (is_from_the_compiler(name)) return std::nullopt;
  return fmt::format("defines the C function {}(), which would stand in for the library's", name);
}

}  // namespace

Symbols parse_symbols(std::string_view nm_output) {
  Symbols symbols;
  while (!nm_output.empty()) {
    const auto end = std::min(nm_output.find('\n'), nm_output.size());
    const auto line = nm_output.substr(0, end);
    nm_output.remove_prefix(std::min(end + 1, nm_output.size()));
    const auto blank = line.find(' ');
    if (blank == std::string_view::npos || blank + 1 >= line.size()) continue;
    const auto name = std::string(line.substr(0, blank));
    switch (line[blank + 1]) {
      case 'U':
      case 'w':
      case 'v':
        symbols.wanted.insert(name);
        break;
      case 'W':
        symbols.weak.insert(name);
        break;
      case 'T':
      case 'i':
        symbols.functions.insert(name);
        break;
      case 'B':
      case 'D':
      case 'V':
      case 'u':
      case 'R':
      case 'C':
        symbols.data.insert(name);
        break;
      default:
        break;
    }
  }
  return symbols;
}

void forgive_inline_functions(Symbols& symbols, const Symbols& inline_functions) {
  std::erase_if(symbols.wanted, [&](const auto& name) {
    return inline_functions.weak.contains(name) || inline_functions.data.contains(name);
  });
}

std::vector<SymbolObjection> object_to_symbols(const Symbols& submitted, const Symbols* honest,
                                               const SymbolRules& rules) {
  std::vector<SymbolObjection> objections;
  for (const auto& name : submitted.wanted) {
    if (honest != nullptr && honest->wanted.contains(name)) continue;
    if (auto reason = object_to_wanted(name, rules.allows)) objections.push_back({name, *reason});
    if (rules.tests && is_part_of_the_tests(name)) {
      objections.push_back({name, "speaks to the tests it is judged by"});
    }
  }
  for (const auto& name : submitted.functions) {
    if (honest != nullptr && honest->functions.contains(name)) continue;
    if (auto reason = object_to_function(name)) objections.push_back({name, *reason});
  }
  for (const auto& name : submitted.weak) {
    // A contract's types are given: whatever right versions look like, the tests compare the same.
    if (rules.tests && honest != nullptr && is_comparison_of_the_tests(name) &&
        !honest->weak.contains(name)) {
      objections.push_back(
          {name, fmt::format("gives the tests something else to compare than the contract's types: "
                             "{}",
                             compared(name))});
    }
    if (is_instance_of_the_tests(name)) continue;
    if (honest != nullptr && honest->weak.contains(name)) continue;
    if (auto reason = object_to_function(name)) objections.push_back({name, *reason});
  }
  for (const auto& name : submitted.data) {
    if (honest != nullptr && honest->data.contains(name)) continue;
    // Variables that the C library, the sanitizers or the loader would take for theirs.
    if (name.starts_with("__") && !is_from_the_compiler(name)) {
      objections.push_back({name, fmt::format("defines the reserved name {}", name)});
    }
  }
  return objections;
}

}  // namespace grader
