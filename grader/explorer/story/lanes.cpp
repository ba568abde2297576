#include "story/lanes.hpp"

#include <algorithm>

#include "story/entries.hpp"
#include "story/words.hpp"

namespace explorer {
namespace {

constexpr int narrowest_lane = 32;  // below that, threads are marks at the edge and share the text
constexpr std::size_t most_entries = 140, first_entries = 30;

std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string repeat(const std::string& piece, std::size_t times) {
  std::string text;
  while (times-- > 0) text += piece;
  return text;
}

std::string pad(const std::string& text, std::size_t width) {
  std::size_t now = width_of(text);
  return now < width ? text + std::string(width - now, ' ') : text;
}

// Cuts to so many characters, an ellipsis included.
std::string cut(const std::string& text, std::size_t width) {
  if (width_of(text) <= width) return text;
  std::string result;
  std::size_t taken = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((text[i] & 0xc0) != 0x80 && ++taken >= width) break;
    result += text[i];
  }
  return result + "…";
}

std::vector<std::string> wrap(const std::string& text, std::size_t width, const std::string& first,
                              const std::string& others) {
  std::vector<std::string> lines;
  std::string line = first;
  bool empty = true;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = std::min(text.find(' ', at), text.size());
    std::string word = text.substr(at, end - at);
    at = end + 1;
    if (!empty && width_of(line) + 1 + width_of(word) > width) {
      lines.push_back(line);
      line = others;
      empty = true;
    }
    line += (empty ? "" : " ") + word;
    empty = false;
  }
  lines.push_back(line);
  for (std::string& each : lines) each = cut(each, width);
  return lines;
}

std::string short_name(int thread) {
  return thread == 0 ? "main" : "thread " + std::to_string(thread);
}

std::vector<std::string> lines_of(const Entry& entry, std::size_t width, bool with_name) {
  std::vector<std::string> lines;
  std::string head = with_name ? short_name(entry.thread) + "  " : "";
  if (entry.place) {
    std::string both = head + entry.place.brief() + "  " + entry.place.text;
    bool fits = with_name || width_of(both) <= width;
    lines.push_back(cut(fits ? both : entry.place.brief(), width));
    if (!fits) lines.push_back(cut("  " + entry.place.text, width));
  } else if (with_name) {
    lines.push_back(head);
  }
  for (const std::string& action : entry.actions)
    for (std::string& line : wrap(action, width, "  > ", "    ")) lines.push_back(std::move(line));
  return lines;
}

// How rows are laid out: real columns where they fit, marks at the edge otherwise.
class Layout {
 public:
  Layout(const std::vector<int>& threads, int columns) : threads_(threads) {
    std::size_t total = static_cast<std::size_t>(std::max(columns, 40));
    total_ = total;
    std::size_t lane = (total + 1) / threads.size() - 1;
    in_columns_ = lane >= narrowest_lane || threads.size() == 1;
    width_ = in_columns_ ? lane : total - 2 * threads.size() - 1;
  }

  std::string header() const {
    std::string text;
    if (in_columns_) {
      std::string rule;
      for (std::size_t i = 0; i < threads_.size(); ++i) {
        text += (i ? "│" : "") + pad(short_name(threads_[i]), width_);
        rule += (i ? "┼" : "") + repeat("─", width_);
      }
      return trimmed(text) + "\n" + rule + "\n";
    }
    for (int thread : threads_) text += (thread == 0 ? "m" : std::to_string(thread)) + " ";
    return text + "   (m: the main thread)\n" + repeat("─", total_) + "\n";
  }

  std::string rows(const Entry& entry) const {
    auto found = std::find(threads_.begin(), threads_.end(), entry.thread);
    if (found == threads_.end()) return aside(entry);
    std::size_t lane = static_cast<std::size_t>(found - threads_.begin());
    std::string text;
    bool first = true;
    for (const std::string& line : lines_of(entry, width_, !in_columns_)) {
      text += (in_columns_ ? in_column(lane, line) : at_edge(lane, line, first)) + "\n";
      first = false;
    }
    return text;
  }

  std::string note(const std::string& words) const {
    std::string text = "── " + words + " ";
    return text + repeat("─", total_ > width_of(text) ? total_ - width_of(text) : 0) + "\n";
  }

 private:
  static std::string trimmed(std::string text) {
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
  }

  // What a thread without a column of its own does.
  std::string aside(const Entry& entry) const {
    std::string text;
    for (const std::string& action : entry.actions)
      text += note(cut(short_name(entry.thread) +
                           (entry.place ? " at " + entry.place.brief() : "") + ": " + action,
                       total_ - 5));
    return text;
  }

  std::string in_column(std::size_t lane, const std::string& line) const {
    std::string text;
    for (std::size_t i = 0; i < threads_.size(); ++i)
      text += (i ? "│" : "") + pad(i == lane ? line : "", width_);
    return trimmed(text);
  }

  std::string at_edge(std::size_t lane, const std::string& line, bool first) const {
    std::string text;
    for (std::size_t i = 0; i < threads_.size(); ++i)
      text += i == lane ? (first ? "● " : "┃ ") : "│ ";
    return trimmed(text + " " + line);
  }

  const std::vector<int>& threads_;
  std::size_t total_ = 80, width_ = 38;
  bool in_columns_ = true;
};

std::string starts_note(const Scene& scene) {
  if (scene.acts.empty() || scene.acts[0]) return {};
  std::string names;
  for (const Step& step : scene.steps)
    if (step.event->op == Op::create && step.event->thread == 0)
      names +=
          (names.empty() ? "" : ", ") + std::string("thread ") + std::to_string(step.event->other);
  return names.empty() ? "" : "the main thread starts " + names;
}

std::string endings(const Scene& scene, std::size_t columns) {
  std::string text = "In the end:\n";
  for (std::size_t i = 0; i < scene.endings.size(); ++i)
    for (const std::string& line :
         wrap(scene.endings[i], columns, pad("  " + short_name(static_cast<int>(i)), 13),
              std::string(13, ' ')))
      text += line + "\n";
  return text;
}

}  // namespace

std::string draw_lanes(const Scene& scene, int columns) {
  std::size_t width = static_cast<std::size_t>(std::max(columns, 40));
  std::string text;
  for (const std::string& line : wrap(scene.headline, width, "", "")) text += line + "\n";
  std::vector<int> threads = shown_threads(scene);
  std::vector<Entry> entries = entries_of(scene);
  Layout layout(threads, columns);
  text += "\n" + layout.header();
  if (std::string note = starts_note(scene); !note.empty()) text += layout.note(note);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries.size() > most_entries && i == first_entries) {
      std::size_t skipped = entries.size() - most_entries;
      text += layout.note("... " + std::to_string(skipped) + " entries left out ...");
      i += skipped;
    }
    if (entries[i].clock_jump)
      text += layout.note("the clock moves on " + duration(entries[i].clock_jump));
    text += layout.rows(entries[i]);
  }
  return scene.endings.empty() ? text : text + "\n" + endings(scene, width);
}

}  // namespace explorer
