#include "predictions.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <toml++/toml.h>
#include <utility>

#include "text.hpp"

namespace grader {
namespace {

constexpr const char* file_name = "predictions.toml";
constexpr std::string_view suite = "Explored.";

class Reader {
 public:
  explicit Reader(std::string name) : name_(std::move(name)) {}

  std::string text(const toml::table& table, std::string_view key) const {
    const auto* node = table.get(key);
    const auto value = node == nullptr ? std::nullopt : node->value_exact<std::string>();
    if (!value) fail(node == nullptr ? table : *node, fmt::format("`{}` must be a text", key));
    return *value;
  }

  std::vector<std::string> texts(const toml::table& table, std::string_view key) const {
    std::vector<std::string> values;
    const auto* list = table.get_as<toml::array>(key);
    if (list == nullptr) fail(table, fmt::format("`{}` must be a list of texts", key));
    for (const auto& element : *list) {
      if (const auto value = element.value_exact<std::string>()) values.push_back(*value);
    }
    return values;
  }

  const toml::array& tables(const toml::table& table, std::string_view key) const {
    const auto* list = table.get_as<toml::array>(key);
    if (list == nullptr || !list->is_homogeneous(toml::node_type::table)) {
      fail(table, fmt::format("there must be a [[{}]]", key));
    }
    return *list;
  }

  [[noreturn]] void fail(const toml::node& node, const std::string& what) const {
    fail(std::max<toml::source_index>(1, node.source().begin.line), what);
  }
  [[noreturn]] void fail(toml::source_index line, const std::string& what) const {
    throw PredictionsError(fmt::format("{}:{}: {}", name_, line, what));
  }

 private:
  std::string name_;
};

Prediction read_question(const Reader& reader, const toml::table& table) {
  Prediction prediction;
  prediction.question = reader.text(table, "question");
  prediction.choices = reader.texts(table, "choose");
  prediction.predicted = reader.text(table, "predicted");
  const bool known =
      std::ranges::find(prediction.choices, prediction.predicted) != prediction.choices.end();
  if (prediction.answered() && !known) {
    reader.fail(table, fmt::format("`{}` is none of the answers to choose from: {}",
                                   prediction.predicted, fmt::join(prediction.choices, "; ")));
  }
  return prediction;
}

void take_answers(const std::vector<Prediction>& given, std::vector<Prediction>& asked) {
  for (auto& prediction : asked) {
    const auto found = std::ranges::find_if(given, [&](const Prediction& other) {
      return other.test == prediction.test && other.question == prediction.question;
    });
    prediction.predicted = found == given.end() ? "" : found->predicted;
  }
}

}  // namespace

bool PredictionsReport::any_answered() const {
  return std::ranges::any_of(predictions, &Prediction::answered);
}

std::vector<Prediction> read_predictions(std::string_view text, const std::string& name) {
  const Reader reader(name);
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& error) {
    reader.fail(error.source().begin.line, std::string(error.description()));
  }
  std::vector<Prediction> predictions;
  for (const auto& scene : reader.tables(table, "scene")) {
    const auto& scene_table = *scene.as_table();
    for (const auto& ask : reader.tables(scene_table, "ask")) {
      auto prediction = read_question(reader, *ask.as_table());
      prediction.test = reader.text(scene_table, "test");
      prediction.scene = reader.text(scene_table, "what");
      predictions.push_back(std::move(prediction));
    }
  }
  return predictions;
}

PredictionsReport open_predictions(const Submission& submission, const Task& task) {
  PredictionsReport report;
  const auto questions = slurp(task.dir / file_name);
  if (questions.empty()) return report;
  report.predictions = read_predictions(questions, (task.dir / file_name).string());
  const auto answers = read_submitted(submission, task, file_name);
  try {
    take_answers(
        answers.text ? read_predictions(*answers.text, file_name) : std::vector<Prediction>{},
        report.predictions);
  } catch (const PredictionsError& error) {
    take_answers({}, report.predictions);
    report.problem = error.what();
  }
  return report;
}

void play_scenes(PredictionsReport& report, Program program, Bench& bench,
                 const std::stop_token& stop) {
  if (!bench.explorer_available()) {
    report.problem = "the scenes need the schedule explorer, which does not work here";
    return;
  }
  program.source = program.task->dir / "predict.cpp";
  program.flavour = Flavour::explored;
  program.label = program.task->folder + " predictions";
  RunOptions run;
  run.observe = true;
  for (const auto& prediction : report.predictions) {
    const auto test = std::string(suite) + prediction.test;
    if (std::ranges::find(run.expected, test) == run.expected.end()) run.expected.push_back(test);
  }
  const auto outcome = bench.run(program, run, stop);
  if (!outcome.problem.empty() || !outcome.machine.empty()) {
    report.problem = outcome.problem.empty() ? outcome.machine : outcome.problem;
    return;
  }
  for (const auto& test : outcome.tests) {
    const auto name = test.name.substr(std::min(test.name.size(), suite.size()));
    report.lanes.emplace_back(name, test.detail);
    for (auto& prediction : report.predictions) {
      if (prediction.test != name) continue;
      for (const auto& seen : test.observations) {
        if (seen.question == prediction.question) prediction.happened = seen.answer;
      }
      if (!prediction.happened.empty()) continue;
      prediction.trouble = !test.headline.empty()  ? test.headline
                           : test.failures.empty() ? "the scene was not played to its end"
                                                   : test.failures.front().message;
    }
  }
}

}  // namespace grader
