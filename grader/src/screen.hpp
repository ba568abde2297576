// The terminal, or the pipe, that the grader talks to.
#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace grader {

// How something is meant; the screen decides how it looks.
enum class Tone { plain, strong, quiet, good, bad, warn, accent };

// Paints text, or leaves it alone where there is no colour.
class Paint {
 public:
  explicit Paint(bool colour) : colour_(colour) {}
  std::string operator()(Tone tone, std::string_view text) const;

 private:
  bool colour_;
};

// Writes lines, and on a terminal keeps one more line below them that says what is being done
// right now. Without a terminal (a pipe, a file, CI) there is neither colour nor that line.
// Safe to call from many threads.
class Screen {
 public:
  // Looks at standard output, and at NO_COLOR and TERM.
  Screen();
  // As told: for tests and for output that goes elsewhere.
  Screen(int fd, bool terminal, bool colour);
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  const Paint& paint() const { return paint_; }
  bool terminal() const { return terminal_; }

  // Lines that stay. A line break is added where there is none.
  void say(std::string_view text);

  // What is being done now; empty: nothing. It replaces what was said before, with the time it
  // has taken since the first call.
  void doing(std::string_view text);

 private:
  void draw();
  void erase();
  void write(std::string_view text) const;
  void tick(const std::stop_token& stop);

  int fd_;
  bool terminal_;
  Paint paint_;
  std::mutex mutex_;
  std::string doing_;                            // guarded by mutex_
  bool drawn_ = false;                           // guarded by mutex_
  std::size_t beat_ = 0;                         // guarded by mutex_
  std::chrono::steady_clock::time_point since_;  // guarded by mutex_
  std::jthread ticker_;  // runs on a terminal only, from the first doing() on
};

}  // namespace grader
