#include "screen.hpp"

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "text.hpp"

namespace grader {
namespace {

using namespace std::chrono_literals;

bool is_terminal() {
  const char* term = std::getenv("TERM");
  return ::isatty(STDOUT_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

bool wants_colour() {
  const char* refused = std::getenv("NO_COLOR");  // https://no-color.org
  return refused == nullptr || *refused == '\0';
}

std::size_t width_of(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col < 20) return 80;
  return size.ws_col;
}

}  // namespace

std::string Paint::operator()(Tone tone, std::string_view text) const {
  if (!colour_ || tone == Tone::plain || text.empty()) return std::string(text);
  // The sixteen colours of the terminal's own theme: readable on light and on dark.
  constexpr std::array<std::string_view, 7> kCodes = {"", "1", "2", "32", "31", "33", "36"};
  return fmt::format("\x1b[{}m{}\x1b[0m", kCodes.at(static_cast<std::size_t>(tone)), text);
}

Screen::Screen() : Screen(STDOUT_FILENO, is_terminal(), is_terminal() && wants_colour()) {}

Screen::Screen(int fd, bool terminal, bool colour) : fd_(fd), terminal_(terminal), paint_(colour) {}

Screen::~Screen() {
  ticker_ = {};
  const std::lock_guard lock(mutex_);
  erase();
}

void Screen::say(std::string_view text) {
  const std::lock_guard lock(mutex_);
  erase();
  write(text.ends_with('\n') ? std::string(text) : std::string(text) + "\n");
  draw();
}

void Screen::doing(std::string_view text) {
  if (!terminal_) return;
  const std::lock_guard lock(mutex_);
  if (doing_.empty() && since_ == std::chrono::steady_clock::time_point{}) {
    since_ = std::chrono::steady_clock::now();
    ticker_ = std::jthread([this](const std::stop_token& stop) { tick(stop); });
  }
  doing_ = text;
  erase();
  draw();
}

void Screen::draw() {
  if (!terminal_ || doing_.empty()) return;
  constexpr std::array<std::string_view, 10> kBeats = {"⠋", "⠙", "⠹", "⠸", "⠼",
                                                       "⠴", "⠦", "⠧", "⠇", "⠏"};
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - since_);
  const auto time = fmt::format("{} s", seconds.count());
  const auto room = width_of(fd_) - time.size() - 8;
  write(fmt::format("  {} {}  {}", paint_(Tone::accent, kBeats.at(beat_ % kBeats.size())),
                    clipped(doing_, room), paint_(Tone::quiet, time)));
  drawn_ = true;
}

void Screen::erase() {
  if (drawn_) write("\r\x1b[K");
  drawn_ = false;
}

void Screen::write(std::string_view text) const {
  while (!text.empty()) {
    const auto written = ::write(fd_, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // nobody reads any more: grading goes on
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

void Screen::tick(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock waiting(mutex);
  while (!wake.wait_for(waiting, stop, 120ms, [] { return false; }) && !stop.stop_requested()) {
    const std::lock_guard lock(mutex_);
    ++beat_;
    erase();
    draw();
  }
}

}  // namespace grader
