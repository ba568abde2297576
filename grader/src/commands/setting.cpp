#include "commands/commands.hpp"
#include "text.hpp"

namespace grader {

BenchOptions bench_options(const Setting& setting) {
  BenchOptions options;
  options.root = setting.workbook.root;
  options.build_dir = setting.workbook.build_dir;
  options.tasks_dir = setting.workbook.tasks_dir;
  options.solutions_dir = setting.workbook.solutions_dir;
  options.kit_dir = setting.workbook.root / "tasks";
  options.jobs = setting.jobs;
  options.require_sandbox = setting.require_sandbox;
  options.notice = [&screen = setting.screen](const std::string& said) {
    screen.say(screen.paint()(Tone::warn, indented(filled("Note: " + printable(said), 77, 6), 2)));
  };
  return options;
}

}  // namespace grader
