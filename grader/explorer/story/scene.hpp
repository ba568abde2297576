// The trace of a failing schedule with everything looked up that a reader needs: what the
// renderings (text, picture, Chrome trace) have in common.
#pragma once

#include <string>
#include <vector>

#include "runtime/shared.hpp"
#include "story/symbolizer.hpp"

namespace explorer {

// A line of the code under test.
struct Place {
  std::string file;  // as the compiler saw it
  int line = 0;
  std::string text;  // the line itself, trimmed; empty when the file can't be read

  explicit operator bool() const { return line > 0; }
  std::string brief() const;  // "promise.hpp:12"
};

// How much of a step the text shows.
enum class Shown {
  nothing,    // the library's inner life
  line_only,  // that the learner's line runs: what it does is the workbook's runtime's own business
  all,
};

struct Step {
  const Event* event = nullptr;
  Place place;        // where the learner's code stands
  std::string words;  // what the thread does: "locks mutex_"
  Shown shown = Shown::all;
};

struct Scene {
  std::string test;
  std::vector<Step> steps;
  std::vector<std::string> objects;  // names, by number
  std::vector<std::string> endings;  // how each thread stood at the end
  std::vector<bool> acts;            // does more than start and join others
  std::string headline;
};

Scene make_scene(const Shared& memory, const std::string& test);

// "the main thread", "thread 2".
std::string thread_name(int thread);

// The innermost frame of the learner's own code: neither of the system, nor of the workbook's
// runtime and test kit unless there is nothing else.
const Frame* learners_frame(const std::vector<const Frame*>& frames);

}  // namespace explorer
