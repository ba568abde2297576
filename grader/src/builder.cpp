#include "builder.hpp"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "build_log.hpp"
#include "death.hpp"
#include "digest.hpp"
#include "files.hpp"
#include "process.hpp"
#include "rules_digest.hpp"

namespace grader {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t output_limit = std::size_t{256} << 20;  // of one file a build makes
// Of what the preprocessor makes of a program, and of the submitted files' part in that, of which
// each byte can become a token. A suite takes 3 to 6 MB, what is handed in some 20 KB.
constexpr std::size_t most_expanded = std::size_t{64} << 20;
constexpr std::size_t most_submitted = std::size_t{4} << 20;
constexpr const char* too_much = "what the preprocessor makes of it is too much to look at";
constexpr std::uint64_t programs_limit = std::uint64_t{2} << 30;
// For programs that ask who they are: initdb does nothing for a user without a name.
constexpr std::string_view accounts_in_the_box = "box:x:1000:1000:box:/tmp:/bin/sh\n";

std::string shell_quoted(std::string_view word) {
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

std::string command_line(const std::vector<std::string>& words) {
  std::vector<std::string> parts;
  for (const auto& word : words) parts.push_back(shell_quoted(word));
  return fmt::format("{}", fmt::join(parts, " "));
}

void append(std::vector<std::string>& words, const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
}

// A look at what the preprocessor makes of it: with the macros of the precompiled header, and
// without its text.
std::vector<std::string> look_flags(const std::vector<std::string>& compile,
                                    const fs::path& macros) {
  std::vector<std::string> flags = {"-E", "-dD", "-imacros", macros.string()};
  for (std::size_t i = 0; i < compile.size(); ++i) {
    if (compile[i] == "-include-pch" || compile[i] == "-include") {
      ++i;
    } else {
      flags.push_back(compile[i]);
    }
  }
  return flags;
}

std::string slurp(const fs::path& file) {
  return read_regular_file(file, output_limit).value_or("");
}

bool allows(const Task& task, std::string_view group) {
  return std::ranges::find(task.allows, group) != task.allows.end();
}

TextRules text_rules(const Task& task, const Stage& stage) {
  TextRules rules{.protected_names = {}, .places = allows(task, "places"), .header = task.header};
  for (const auto& file : stage.files) {
    if (file.trusted) add_names(file.bytes, rules.protected_names);
  }
  return rules;
}

std::vector<std::string> service_libraries(const Task& task) {
  std::vector<std::string> libraries;
  for (const auto& service : task.services) {
    if (service == "redis") libraries.emplace_back("-lhiredis");
    if (service == "postgres") libraries.emplace_back("-lpq");
  }
  return libraries;
}

}  // namespace

Builder::Builder(const Harness& harness, const Sandbox& sandbox, fs::path programs_dir)
    : harness_(harness), sandbox_(sandbox), programs_dir_(fs::absolute(programs_dir)) {}

Prepared Builder::prepare(const Program& program, const std::vector<Task>& tasks) const {
  Prepared prepared{collect(program, tasks), ""};
  Digest digest;
  digest.field(rules_of_builds).field(harness_.key()).field(to_string(program.flavour));
  digest.field(prepared.stage.source.string()).field(prepared.stage.refused);
  for (const auto& folder : prepared.stage.include_dirs) digest.field(folder);
  for (const auto& library : service_libraries(*program.task)) digest.field(library);
  for (const auto& group : program.task->allows) digest.field(group);
  for (const auto& file : prepared.stage.files) {
    digest.field(file.path.string()).field(file.bytes);
  }
  prepared.key = digest.hex().substr(0, 32);
  return prepared;
}

std::optional<BuildOutcome> Builder::known(const std::string& key) const {
  const auto file = folder(key) / "build.json";
  const auto text = read_regular_file(file, output_limit);
  if (!text) return std::nullopt;
  try {
    auto outcome = build_outcome_from_json(*text);
    if (outcome.ok && !fs::exists(folder(key) / "program")) return std::nullopt;
    outcome.cached = true;
    std::error_code ignored;
    fs::last_write_time(file, fs::file_time_type::clock::now(), ignored);
    return outcome;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

std::optional<Symbols> Builder::symbols(const std::string& key) const {
  const auto text = read_regular_file(folder(key) / "symbols", output_limit);
  if (!text) return std::nullopt;
  return parse_symbols(*text);
}

BuildOutcome Builder::build(const Program& program, const Prepared& prepared, bool trusted,
                            const Honest& honest, const std::stop_token& stop) const {
  if (auto outcome = known(prepared.key)) return *outcome;
  BuildOutcome outcome;
  if (!prepared.stage.refused.empty()) {
    outcome.refused = prepared.stage.refused;
    return outcome;
  }
  if (!trusted) {
    outcome.refused =
        refuse_source(prepared.stage, text_rules(*program.task, prepared.stage)).value_or("");
    if (!outcome.refused.empty()) return outcome;
  }
  const auto start = std::chrono::steady_clock::now();
  try {
    outcome = compile(program, prepared, trusted, honest, stop);
  } catch (const std::system_error& error) {
    outcome.machine = error.what();
  }
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return outcome;
}

BuildOutcome Builder::compile(const Program& program, const Prepared& prepared, bool trusted,
                              const Honest& honest, const std::stop_token& stop) const {
  const ScratchDir work(programs_dir_);
  ScratchDir out(programs_dir_);
  write_stage(prepared.stage, work.path(), harness_.runtime(), harness_.testing());
  sandbox_.hand_over(out.path());
  const fs::path mark = work.path() / "out";
  if (sandbox_.active()) {
    fs::create_directory(mark);
  } else {
    fs::create_directory_symlink(out.path(), mark);
  }

  Box box;
  box.mounts = {{harness_.folder(), harness_.folder(), false},
                {work.path(), "/box", false},
                {out.path(), "/box/out", true}};
  box.directory = sandbox_.seen(work.path(), "/box");
  box.cpu_seconds = compile_cpu_seconds;
  box.file_bytes = output_limit;
  box.tmp_bytes = output_limit;
  const OuterLimits limits{.wall = std::chrono::minutes(5),
                           .memory_bytes = compile_memory,
                           .processes = 64,
                           .output_bytes = 16 << 20};
  const auto result = run_process(
      sandbox_.command(box, {"/bin/sh", "-c", script(program, prepared.stage, trusted)}), limits,
      nullptr, stop);

  BuildOutcome outcome;
  outcome.full_log = result.out + result.err;
  for (auto at = outcome.full_log.find(harness_.folder().string()); at != std::string::npos;
       at = outcome.full_log.find(harness_.folder().string(), at)) {
    outcome.full_log.erase(at, harness_.folder().string().size() + 1);
  }
  outcome.ok = result.ending == Ending::exited && result.exit_code == 0;
  // What was compiled but does not link is looked at too: a forger's duplicate main() is told so.
  if (!trusted && fs::exists(out.path() / "symbols")) {
    judge_result(program, prepared.stage, out.path(), honest, outcome);
  }
  if (!outcome.ok && outcome.refused.empty() && outcome.machine.empty()) {
    judge_compilation(result, outcome.full_log, program.task->folder, programs_dir_, outcome);
  }
  if (!outcome.refused.empty() || !outcome.machine.empty()) outcome.ok = false;
  // The explorer's story quotes the lines that it tells of. A learner's own test gets no source to
  // look into: it must not find out which version it is tried on.
  const bool quotes = program.flavour == Flavour::explored && is_suite(program.source);
  if (outcome.machine.empty()) {
    keep(prepared.key, outcome, out.path(), quotes ? &prepared.stage : nullptr);
  }
  return outcome;
}

// One shell in one box: looking at the preprocessor's output beside the compilation, then the
// object's symbols, then the link.
std::string Builder::script(const Program& program, const Stage& stage, bool trusted) const {
  const auto flags = harness_.flags(program.flavour);
  const std::string compiler = harness_.compiler().string();
  std::vector<std::string> places;
  for (const auto& folder : stage.include_dirs) places.push_back("-I" + folder);
  places.emplace_back("-I.");
  const std::vector<std::string> limits =
      harness_.uses_clang()
          ? std::vector<std::string>{"-ferror-limit=3", "-ftemplate-backtrace-limit=4",
                                     "-fno-color-diagnostics"}
          : std::vector<std::string>{"-fmax-errors=3", "-ftemplate-backtrace-limit=4",
                                     "-fdiagnostics-color=never"};
  const auto look = [&](Flavour flavour, const std::string& into) {
    std::vector<std::string> words = {compiler};
    append(words, look_flags(harness_.flags(flavour).compile, harness_.macros(flavour)));
    append(words, places);
    words.push_back(stage.source.string());
    // Not with -o: of a file that grows too large the compiler would leave nothing.
    return fmt::format("{} >{} 2>/dev/null", command_line(words), into);
  };

  std::vector<std::string> compile = {compiler};
  append(compile, flags.compile);
  append(compile, places);
  append(compile, limits);
  append(compile, {"-MD", "-MF", "out/depends", "-c", stage.source.string(), "-o", "out/object"});

  std::vector<std::string> link = {compiler, "out/object"};
  append(link, flags.link);
  append(link, flags.libraries);
  append(link, service_libraries(*program.task));
  append(link, {"-o", "out/program"});

  std::string text = "umask 022\n";
  if (!trusted) {
    auto looks = look(program.flavour, "out/expanded");
    if (program.flavour != Flavour::plain) looks += " && " + look(Flavour::plain, "out/plain");
    constexpr std::size_t unit = 512;  // of ulimit
    text +=
        fmt::format("(ulimit -f {} && {} && echo > out/looked) &\n", most_expanded / unit, looks);
  }
  text += fmt::format("{} || {{ code=$?; wait; exit $code; }}\n", command_line(compile));
  text += "nm -P out/object > out/symbols || exit\nwait\n";
  text += fmt::format("exec {}\n", command_line(link));
  return text;
}

// The dependencies and the text; empty: nothing against them.
std::string Builder::refuse_text(const Program& program, const Stage& stage,
                                 const fs::path& out) const {
  // Long names of gcc's and clang's own folders, as they write them into dependencies.
  const std::vector<std::string> allowed = {"/usr/", harness_.folder().string() + "/"};
  if (auto reason = refuse_dependencies(stage, slurp(out / "depends"), allowed)) return *reason;
  const auto expanded = slurp(out / "expanded");
  if (submitted_bytes(stage, expanded) > most_submitted) return too_much;
  auto rules = text_rules(*program.task, stage);
  add_names_of_macros(slurp(harness_.macros(program.flavour)), rules.protected_names);
  const auto read = [&](const fs::path& file) {
    if (file.is_absolute()) return slurp(file);
    const bool runtime = file.begin()->string() == "runtime";
    return slurp((runtime ? harness_.runtime() : harness_.testing()).parent_path() / file);
  };
  if (auto reason = refuse_expansion(stage, expanded, rules, read)) return *reason;
  if (!is_suite(program.source) || program.flavour == Flavour::plain) return "";
  const auto plain = slurp(out / "plain");
  if (submitted_bytes(stage, plain) > most_submitted) return too_much;
  if (submitted_text(stage, expanded) != submitted_text(stage, plain)) {
    return fmt::format("{} is another program where a sanitizer looks at it", program.task->header);
  }
  return "";
}

void Builder::judge_result(const Program& program, const Stage& stage, const fs::path& out,
                           const Honest& honest, BuildOutcome& outcome) const {
  if (!fs::exists(out / "looked")) {
    // What ends the look must not end the rules: its size is the author's, all else the machine's.
    const auto size = [&](const char* name) {
      std::error_code none;
      const auto bytes = fs::file_size(out / name, none);
      return none ? 0 : bytes;
    };
    if (std::max(size("expanded"), size("plain")) >= most_expanded) {
      outcome.refused = too_much;
    } else if (outcome.ok) {
      outcome.machine = "the preprocessor's output could not be had";
    }
    return;
  }
  outcome.refused = refuse_text(program, stage, out);
  if (!outcome.refused.empty()) return;
  auto submitted = parse_symbols(slurp(out / "symbols"));
  SymbolRules rules{.allows = program.task->allows,
                    .tests = is_suite(program.source) && program.flavour == Flavour::plain};
  if (object_to_symbols(submitted, nullptr, rules).empty()) return;  // most own tests
  forgive_inline_functions(submitted,
                           parse_symbols(slurp(harness_.prefix_symbols(program.flavour))));
  if (object_to_symbols(submitted, nullptr, rules).empty()) return;
  const auto baseline = honest();
  outcome.machine = baseline.machine;
  if (!outcome.machine.empty()) return;
  if (!baseline.symbols) rules.tests = false;  // no reference here to compare with
  const auto objections =
      object_to_symbols(submitted, baseline.symbols ? &*baseline.symbols : nullptr, rules);
  if (objections.empty()) return;
  const auto name =
      is_suite(program.source) ? program.task->header : program.source.filename().string();
  outcome.refused = fmt::format("{} {}", name, objections.front().reason);
}

void Builder::keep(const std::string& key, const BuildOutcome& outcome, const fs::path& out,
                   const Stage* sources) const {
  ScratchDir kept(programs_dir_);
  // Plain copies: what the box made belongs to the box's user.
  if (outcome.ok) {
    fs::copy_file(out / "program", kept.path() / "program");
    fs::permissions(kept.path() / "program", fs::perms(0755));
    fs::copy_file(out / "symbols", kept.path() / "symbols");
    write_whole_file(kept.path() / "suppressions", thread_suppressions);
    write_whole_file(kept.path() / "passwd", accounts_in_the_box);
    if (sources != nullptr) write_files(*sources, kept.path());
  }
  write_whole_file(kept.path() / "build.json", to_json(outcome));
  kept.keep_as(folder(key));
}

void Builder::forget_old_ones() const {
  struct Kept {
    fs::path folder;
    fs::file_time_type used;
    std::uint64_t bytes;
  };
  std::vector<Kept> all;
  std::uint64_t total = 0;
  std::error_code ec;
  const auto now = fs::file_time_type::clock::now();
  for (const auto& entry : fs::directory_iterator(programs_dir_, ec)) {
    const bool scratch = entry.path().filename().string().starts_with('.');
    if (scratch) {
      // Left behind by a grader that was killed.
      const auto age = now - fs::last_write_time(entry.path(), ec);
      if (!ec && age > std::chrono::hours(2)) fs::remove_all(entry.path(), ec);
      continue;
    }
    const auto bytes = fs::file_size(entry.path() / "program", ec);
    all.push_back(
        {entry.path(), fs::last_write_time(entry.path() / "build.json", ec), ec ? 0 : bytes});
    total += all.back().bytes;
  }
  std::ranges::sort(all, {}, &Kept::used);
  for (const auto& old : all) {
    if (total <= programs_limit) break;
    fs::remove_all(old.folder, ec);
    total -= old.bytes;
  }
}

}  // namespace grader
