#include "story/scene.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "story/names.hpp"
#include "story/words.hpp"

namespace explorer {
namespace {

bool has_folder(const std::string& file, std::string_view folder) {
  return file.find("/" + std::string(folder) + "/") != std::string::npos ||
         file.starts_with(std::string(folder) + "/");
}

bool is_system(const Frame& frame) {
  return frame.file.starts_with("/usr/") || frame.file.starts_with("./") || frame.file.empty() ||
         frame.file.find("googletest") != std::string::npos ||
         has_folder(frame.file, "grader/explorer/runtime") ||
         has_folder(frame.file, "grader/explorer/gtest") ||
         has_folder(frame.file, "grader/explorer/search") ||
         frame.file.ends_with("explorer/gtest_main.cpp");
}

bool is_workbook(const Frame& frame) {
  return has_folder(frame.file, "runtime") || has_folder(frame.file, "testing");
}

bool is_class_head(const std::string& line) {
  return line.starts_with("class ") || line.starts_with("struct ") || line.starts_with("template ");
}

// Lines of source files. Where the program was compiled elsewhere, its own folder and the working
// directory are looked at for a file whose path ends in the same way.
class Sources {
 public:
  std::string line(const std::string& file, int number) {
    auto [entry, fresh] = files_.try_emplace(file);
    if (fresh) entry->second = read(file);
    if (number < 1 || number > static_cast<int>(entry->second.size())) return {};
    std::string text = entry->second[static_cast<std::size_t>(number - 1)];
    std::size_t begin = text.find_first_not_of(" \t");
    return begin == std::string::npos ? "" : text.substr(begin);
  }

 private:
  static std::ifstream open(const std::filesystem::path& file) {
    if (std::ifstream in(file); in) return in;
    std::error_code error;
    auto program = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
    for (const auto& folder : {program, std::filesystem::current_path(error)})
      for (auto part = file.begin(); part != file.end(); ++part) {
        std::filesystem::path rest;
        for (auto each = part; each != file.end(); ++each) rest /= *each;
        if (rest.is_absolute()) continue;
        if (std::ifstream in(folder / rest); in) return in;
      }
    return {};
  }

  static std::vector<std::string> read(const std::string& file) {
    std::vector<std::string> lines;
    std::ifstream in = open(file);
    for (std::string text; std::getline(in, text);) lines.push_back(text);
    return lines;
  }

  std::map<std::string, std::vector<std::string>> files_;
};

std::map<Address, Frames> symbols_of(const Shared& memory) {
  std::set<Address> addresses;
  for (int i = 0; i < memory.event_count; ++i)
    addresses.insert(memory.events[i].stack, memory.events[i].stack + memory.events[i].depth);
  return symbolize({addresses.begin(), addresses.end()});
}

std::vector<const Frame*> frames_of(const Event& event, const std::map<Address, Frames>& symbols) {
  std::vector<const Frame*> frames;
  for (int i = 0; i < event.depth; ++i)
    if (auto found = symbols.find(event.stack[i]); found != symbols.end())
      for (const Frame& frame : found->second) frames.push_back(&frame);
  return frames;
}

// Names the objects by their first use that gives one away, and keeps names apart.
class Namer {
 public:
  explicit Namer(const Shared& memory)
      : memory_(memory),
        names_(static_cast<std::size_t>(std::max(memory.object_count, 1))),
        inner_(names_.size(), true),
        visible_(names_.size(), false) {}

  void look_at(const Step& step, const Ownership& ownership, bool inside_condition) {
    int object = step.event->object;
    if (object <= 0 || object >= static_cast<int>(names_.size())) return;
    if (ownership.belongs != Belongs::invisible) visible_[static_cast<std::size_t>(object)] = true;
    if (!inside_condition) inner_[static_cast<std::size_t>(object)] = false;
    std::string& name = names_[static_cast<std::size_t>(object)];
    if (!name.empty()) return;
    name = ownership.what.empty() ? name_in_line(memory_.objects[object].kind, step.place.text)
                                  : ownership.what;
  }

  // A mutex that only a condition_variable_any uses: its own.
  bool is_inner_mutex(int object) const {
    return object > 0 && object < static_cast<int>(names_.size()) &&
           memory_.objects[object].kind == ObjectKind::mutex &&
           inner_[static_cast<std::size_t>(object)];
  }

  std::vector<std::string> take() {
    std::map<std::string, int> used;
    int unnamed = 0;
    for (std::size_t i = 1; i < names_.size(); ++i) {
      if (!visible_[i])
        names_[i].clear();  // the test framework's own
      else if (is_inner_mutex(static_cast<int>(i)))
        names_[i] = "the condition variable's own mutex";
      else if (names_[i].empty())
        names_[i] = made_up_name(memory_.objects[i].kind, unnamed++);
      else if (int number = ++used[names_[i]]; number > 1 && !names_[i].starts_with("the "))
        names_[i] += " #" + std::to_string(number);
    }
    return std::move(names_);
  }

 private:
  const Shared& memory_;
  std::vector<std::string> names_;
  std::vector<bool> inner_, visible_;
};

bool is_bookkeeping(Op op) {
  return op == Op::start || op == Op::create || op == Op::join || op == Op::exit ||
         op == Op::finish || op == Op::check;
}

bool inside_workbook(const std::vector<const Frame*>& frames) {
  for (const Frame* frame : frames)
    if (!is_system(*frame)) return is_workbook(*frame);
  return false;
}

bool wakes_or_waits(const Event& event) {
  switch (event.op) {
    case Op::wait:
    case Op::wake:
    case Op::notify_one:
    case Op::notify_all:
    case Op::futex_woke:
    case Op::sleep:
      return true;
    case Op::futex_wake:
      return event.value > 0;
    default:
      return (event.flags & flag_slept) != 0;
  }
}

Shown shown(const Event& event, const Ownership& ownership, bool in_workbook) {
  switch (event.op) {
    case Op::read:
    case Op::write:
    case Op::free:
    case Op::crash:
    case Op::check:
      return Shown::all;
    default:
      break;
  }
  if (ownership.belongs == Belongs::invisible) return Shown::nothing;
  if (wakes_or_waits(event)) return Shown::all;
  if (event.op == Op::once || event.op == Op::once_done) return Shown::nothing;
  if (ownership.belongs == Belongs::library) return Shown::nothing;
  if (in_workbook) return Shown::line_only;
  bool only_looks = event.op == Op::load || event.op == Op::yield || event.op == Op::clock;
  return !ownership.what.empty() && only_looks ? Shown::nothing : Shown::all;
}

}  // namespace

std::string Place::brief() const {
  std::size_t slash = file.rfind('/');
  return (slash == std::string::npos ? file : file.substr(slash + 1)) + ":" + std::to_string(line);
}

std::string thread_name(int thread) {
  return thread == 0 ? "the main thread" : "thread " + std::to_string(thread);
}

const Frame* learners_frame(const std::vector<const Frame*>& frames) {
  const Frame* second_best = nullptr;
  for (const Frame* frame : frames) {
    if (is_system(*frame)) continue;
    if (!is_workbook(*frame)) return frame;
    if (!second_best) second_best = frame;
  }
  return second_best;
}

Scene make_scene(const Shared& memory, const std::string& test) {
  Scene scene;
  scene.test = test;
  Sources sources;
  Namer namer(memory);
  auto symbols = symbols_of(memory);
  scene.acts.resize(static_cast<std::size_t>(memory.thread_count));
  for (int i = 0; i < memory.event_count; ++i) {
    const Event& event = memory.events[i];
    auto frames = frames_of(event, symbols);
    const Frame* learner = learners_frame(frames);
    if (const Frame* outer = learner;
        outer && is_class_head(sources.line(outer->file, outer->line))) {
      // A member the compiler wrote, like an implicit destructor: who called it says more.
      auto after = std::find(frames.begin(), frames.end(), outer);
      while (after != frames.end() && is_class_head(sources.line((*after)->file, (*after)->line)))
        ++after;
      if (const Frame* caller = learners_frame({after, frames.end()})) learner = caller;
    }
    Step step;
    step.event = &event;
    if (learner)
      step.place = Place{learner->file, learner->line, sources.line(learner->file, learner->line)};
    Ownership ownership = ownership_of(frames, learner);
    namer.look_at(step, ownership, inside_condition_variable_any(frames, learner));
    step.shown = shown(event, ownership, inside_workbook(frames));
    if (step.shown == Shown::all && !is_bookkeeping(event.op) && event.thread < scene.acts.size())
      scene.acts[event.thread] = true;
    scene.steps.push_back(std::move(step));
  }
  for (Step& step : scene.steps)
    if (namer.is_inner_mutex(step.event->object)) step.shown = Shown::nothing;
  scene.objects = namer.take();
  for (Step& step : scene.steps) step.words = words_for(*step.event, scene);
  // How everybody is stuck explains a failure; when all went well, everybody has just ended.
  bool failed = memory.failure.kind != FailureKind::none;
  for (int i = 0; failed && i < memory.thread_count; ++i)
    scene.endings.push_back(ending_of(memory, scene, i));
  scene.headline = headline_for(memory, scene);
  if (!scene.headline.empty() && scene.headline[0] >= 'a' && scene.headline[0] <= 'z')
    scene.headline[0] = static_cast<char>(scene.headline[0] - 'a' + 'A');
  return scene;
}

}  // namespace explorer
