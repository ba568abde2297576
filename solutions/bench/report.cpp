// Runs the benchmark programs, prints each reference as a ratio to what it is compared with, and
// draws a chart per program. Usage: bench_report CHART_DIR PROGRAM...
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fmt/core.h>
#include <fmt/os.h>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "svg.hpp"  // the grader's: its charts are drawn with it, too

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Entry {
  std::string who;
  double nanoseconds = 0;  // median of the repetitions
  double at_most = 0;      // wanted ratio reference / this; 0: none
  std::map<std::string, double> counters;
};

// What is measured, in the order of the program; the reference is among the entries.
using Comparison = std::pair<std::string, std::vector<Entry>>;

std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  if (!pipe) throw std::runtime_error("cannot run " + command);
  std::string text;
  std::array<char, 4096> buffer{};
  while (const auto n = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) {
    text.append(buffer.data(), n);
  }
  return text;
}

// Repetitions of all benchmarks of a program are interleaved at random, so that a slow spell of the
// machine hits both sides of a ratio.
std::vector<Comparison> measure(const fs::path& program) {
  const auto text = output_of("'" + program.string() +
                              "' --benchmark_format=json --benchmark_repetitions=7"
                              " --benchmark_enable_random_interleaving=true"
                              " --benchmark_report_aggregates_only=true"
                              " --benchmark_min_time=0.1 2>/dev/null");
  std::vector<Comparison> comparisons;
  const auto unit = std::map<std::string, double>{{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
  const auto results = json::parse(text);  // not in the loop's head: GCC 12 would let it die there
  for (const auto& run : results.at("benchmarks")) {
    if (run.value("aggregate_name", "") != "median") continue;
    const auto name = run.at("run_name").get<std::string>();
    const auto bar = name.find('|');
    const auto what = name.substr(0, bar);
    auto who = name.substr(bar + 1);
    who = who.substr(0, who.find("/real_time"));
    Entry entry{who, run.at("real_time").get<double>() * unit.at(run.at("time_unit")), 0, {}};
    const auto label = run.value("label", "");
    if (label.starts_with("at most ")) entry.at_most = std::stod(label.substr(8));
    for (const char* counter : {"bytes", "threads alive"}) {
      if (run.contains(counter)) entry.counters[counter] = run.at(counter);
    }
    auto it = std::ranges::find(comparisons, what, &Comparison::first);
    if (it == comparisons.end()) it = comparisons.insert(it, {what, {}});
    it->second.push_back(std::move(entry));
  }
  return comparisons;
}

std::string human(double nanoseconds) {
  for (const auto& [limit, divisor, suffix] :
       {std::tuple{1e3, 1.0, "ns"}, std::tuple{1e6, 1e3, "us"}, std::tuple{1e9, 1e6, "ms"}}) {
    if (nanoseconds < limit) return fmt::format("{:.3g} {}", nanoseconds / divisor, suffix);
  }
  return fmt::format("{:.3g} s", nanoseconds / 1e9);
}

void print(const std::string& task, const std::vector<Comparison>& comparisons) {
  for (const auto& [what, entries] : comparisons) {
    const auto reference = std::ranges::find(entries, "reference", &Entry::who);
    if (reference == entries.end()) continue;
    fmt::print("{:<22} {:<36} {:>10}\n", task, what, human(reference->nanoseconds));
    for (const auto& [name, value] : reference->counters) {
      fmt::print("{:<22}   {:.0f} {}\n", "", value, name);
    }
    for (const auto& other : entries) {
      if (other.who == "reference") continue;
      const double ratio = reference->nanoseconds / other.nanoseconds;
      const auto wanted =
          other.at_most > 0 ? fmt::format("{} (at most {:g})",
                                          ratio <= other.at_most ? "met" : "MISSED", other.at_most)
                            : std::string();
      fmt::print("{:<22}   {:.3g} x {:<30} {:>10}  {}\n", "", ratio, other.who,
                 human(other.nanoseconds), wanted);
    }
  }
}

// Bars relative to the slowest of each comparison.
void draw(const fs::path& file, const std::string& task, const std::vector<Comparison>& all) {
  std::string body;
  int y = 40;
  for (const auto& [what, entries] : all) {
    const double slowest = std::ranges::max(entries, {}, &Entry::nanoseconds).nanoseconds;
    body += fmt::format("<text x='12' y='{}' font-weight='bold'>{}</text>\n", y += 24,
                        grader::svg_escaped(what));
    for (const auto& entry : entries) {
      const double width = std::max(2.0, 360.0 * entry.nanoseconds / slowest);
      y += 22;
      body += fmt::format(
          "<text x='220' y='{}' text-anchor='end'>{}</text>"
          "<rect x='230' y='{}' width='{:.1f}' height='14' fill='{}'/>"
          "<text x='{:.1f}' y='{}'>{}</text>\n",
          y, grader::svg_escaped(entry.who), y - 12, width,
          entry.who == "reference" ? "#1b7f5c" : "#b8b8b8", 236 + width, y,
          human(entry.nanoseconds));
    }
  }
  fmt::ostream out = fmt::output_file(file.string());
  out.print("{}", grader::svg_page(720, y + 20, task + ": time, shorter is better", body));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: bench_report CHART_DIR PROGRAM...\n");
    return 2;
  }
  try {
    const fs::path charts = argv[1];
    fs::create_directories(charts);
    for (int i = 2; i < argc; ++i) {
      const fs::path program = argv[i];
      const auto task = program.filename().string().substr(std::string("bench_").size());
      const auto comparisons = measure(program);
      print(task, comparisons);
      draw(charts / (task + ".svg"), task, comparisons);
      std::fflush(stdout);
    }
    fmt::print("\nMedians of 7 runs, interleaved; charts in {}\n", charts.string());
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_report: {}\n", error.what());
    return 1;
  }
}
