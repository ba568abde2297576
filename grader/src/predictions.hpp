// What the learner expects to happen in a scene, and what does: shown beside the score, never part
// of it. The scenes are tasks/NN_name/predict.cpp; questions and answers are in predictions.toml.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "bench.hpp"
#include "workbook.hpp"

namespace grader {

struct Prediction {
  std::string test;   // the scene: a test of predict.cpp, without its suite
  std::string scene;  // what happens in it
  std::string question;
  std::vector<std::string> choices;
  std::string predicted;  // one of them; empty: not answered
  std::string happened;   // empty: the scene did not come that far
  std::string trouble;    // why it did not

  bool answered() const { return !predicted.empty(); }
  bool came_true() const { return answered() && predicted == happened; }
};

struct PredictionsReport {
  std::vector<Prediction> predictions;  // none: the task has no scenes
  std::string problem;                  // why they can't be judged: "predictions.toml:7: …"
  // The swim lanes of each scene that was played, by its test.
  std::vector<std::pair<std::string, std::string>> lanes;

  bool any_answered() const;
};

// predictions.toml can't be read; what() says where and what to do.
class PredictionsError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The questions of one predictions.toml, `name` for messages. Throws PredictionsError.
std::vector<Prediction> read_predictions(std::string_view text, const std::string& name);

// The workbook's questions with the submission's answers. Runs nothing.
PredictionsReport open_predictions(const Submission& submission, const Task& task);

// Plays the scenes on the submitted header, in the schedule explorer, and fills in what happened.
void play_scenes(PredictionsReport& report, Program program, Bench& bench,
                 const std::stop_token& stop);

}  // namespace grader
