#include "testing/result_channel.hpp"

#include <array>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "testing/uninstrumented.hpp"

namespace workbook {

namespace {

// Filled in before anything else runs, so these have no constructors.
int channel_fd = -1;
pid_t channel_owner = 0;
// Never in one piece where a header under test could look for it: each character is kept with one
// of a random page, which only this pointer leads to.
char masked_nonce[128];
std::size_t nonce_length = 0;
char* mask = nullptr;

WORKBOOK_UNINSTRUMENTED char* value_if_named(char* variable, const char* name) {
  while (*name != '\0' && *variable == *name) {
    ++variable;
    ++name;
  }
  return *name == '\0' && *variable == '=' ? variable + 1 : nullptr;
}

// Parses and wipes the number, so that /proc/self/environ does not show it either.
WORKBOOK_UNINSTRUMENTED int take_number(char* digits) {
  int number = 0;
  for (; *digits >= '0' && *digits <= '9'; ++digits) {
    number = number * 10 + (*digits - '0');
    *digits = 'x';
  }
  return number;
}

// False: there is no memory or no chance.
WORKBOOK_UNINSTRUMENTED bool make_mask() {
  const long page = ::syscall(SYS_mmap, nullptr, sizeof masked_nonce, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page < 0 && page > -4096) return false;
  mask = reinterpret_cast<char*>(page);
  return ::syscall(SYS_getrandom, mask, sizeof masked_nonce, 0) == sizeof masked_nonce;
}

WORKBOOK_UNINSTRUMENTED void read_nonce(int fd) {
  if (!make_mask()) return;
  while (nonce_length < sizeof masked_nonce) {
    char next = 0;
    const long got = ::syscall(SYS_read, fd, &next, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || next == '\n') return;
    masked_nonce[nonce_length] = static_cast<char>(next ^ mask[nonce_length]);
    ++nonce_length;
  }
}

// System calls only: no library and no sanitizer is ready when this runs.
WORKBOOK_UNINSTRUMENTED void take_channel(int, char**, char** environment) {
  char** kept = environment;
  for (char** entry = environment; *entry != nullptr; ++entry) {
    char* value = value_if_named(*entry, "WORKBOOK_CHANNEL");
    if (value == nullptr) {
      *kept++ = *entry;
      continue;
    }
    const int given = take_number(value);
    // Away from the low numbers, which a test gets for files of its own and may close by mistake.
    const long moved = ::syscall(SYS_fcntl, given, F_DUPFD_CLOEXEC, 200);
    if (moved < 0) continue;
    ::syscall(SYS_close, given);
    channel_fd = static_cast<int>(moved);
    channel_owner = static_cast<pid_t>(::syscall(SYS_getpid));
    read_nonce(channel_fd);
  }
  *kept = nullptr;
}

using Initialiser = void (*)(int, char**, char**);
[[gnu::section(".preinit_array"), gnu::used]] Initialiser take_channel_first = take_channel;

std::size_t utf8_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t length = lead < 0x80                    ? 1
                             : lead >= 0xc2 && lead <= 0xdf ? 2
                             : lead >= 0xe0 && lead <= 0xef ? 3
                             : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                            : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 0;
  }
  // Overlong forms, surrogates and what lies beyond Unicode.
  const auto second = length > 1 ? static_cast<unsigned char>(text[1]) : 0x80;
  if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
      (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) {
    return 0;
  }
  return length;
}

// A test may print any bytes; the line must be JSON all the same.
std::string json_text(std::string_view text) {
  std::string result = "\"";
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) {
      result += "\\ufffd";
    } else if (text[0] == '"' || text[0] == '\\') {
      result += {'\\', text[0]};
    } else if (text[0] == '\n') {
      result += "\\n";
    } else if (static_cast<unsigned char>(text[0]) < 0x20) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(text[0]));
      result += escape.data();
    } else {
      result += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return result + "\"";
}

}  // namespace

Event::Event(std::string_view kind) : json_("{\"event\":" + json_text(kind)) {}

Event& Event::key(std::string_view name) {
  json_ += "," + json_text(name) + ":";
  return *this;
}

Event& Event::text(std::string_view name, std::string_view value) {
  key(name).json_ += json_text(value);
  return *this;
}

Event& Event::texts(std::string_view name, std::span<const std::string> values) {
  key(name).json_ += '[';
  for (const auto& value : values) {
    if (json_.back() != '[') json_ += ',';
    json_ += json_text(value);
  }
  json_ += ']';
  return *this;
}

Event& Event::number(std::string_view name, double value) {
  std::array<char, 40> digits{};
  const bool whole = value == std::floor(value) && std::abs(value) < 1e15;
  std::snprintf(digits.data(), digits.size(), whole ? "%.0f" : "%.3f", value);
  key(name).json_ += digits.data();
  return *this;
}

Event& Event::flag(std::string_view name, bool value) {
  key(name).json_ += value ? "true" : "false";
  return *this;
}

ResultChannel& ResultChannel::instance() {
  static auto* channel = new ResultChannel;  // never destroyed: threads may outlive main()
  return *channel;
}

bool ResultChannel::present() const { return channel_fd >= 0; }

void ResultChannel::send(const Event& event) {
  if (!present() || ::getpid() != channel_owner) return;
  const std::lock_guard lock(mutex_);
  send_locked(event);
}

// The answer is its length, ten digits, and then so many bytes.
std::string ResultChannel::ask(const Event& question) {
  if (!present() || ::getpid() != channel_owner) return {};
  const std::lock_guard lock(mutex_);
  if (!answers_) return {};
  send_locked(question);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  std::array<char, 11> digits{};
  std::string answer;
  answers_ = read(digits.data(), digits.size() - 1, end);
  if (answers_) {
    answer.resize(std::strtoull(digits.data(), nullptr, 10));
    answers_ = read(answer.data(), answer.size(), end);
  }
  return answers_ ? answer : std::string();
}

bool ResultChannel::read(char* into, std::size_t count, std::chrono::steady_clock::time_point end) {
  while (count > 0) {
    if (std::chrono::steady_clock::now() >= end) return false;
    pollfd ready{channel_fd, POLLIN, 0};
    if (::poll(&ready, 1, 100) <= 0) continue;
    // NOLINTNEXTLINE(clang-analyzer-unix.BlockInCriticalSection): no line may come in between.
    const auto got = ::read(channel_fd, into, count);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    into += got;
    count -= static_cast<std::size_t>(got);
  }
  return true;
}

void ResultChannel::send_locked(const Event& event) {
  // At its full size from the start: what is outgrown would be freed as it is.
  std::string line = std::string(nonce_length, ' ') + " " + event.json() + "\n";
  for (std::size_t i = 0; i < nonce_length; ++i) {
    line[i] = static_cast<char>(masked_nonce[i] ^ mask[i]);
  }
  for (std::string_view rest = line; !rest.empty();) {
    const auto sent = ::write(channel_fd, rest.data(), rest.size());
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) break;  // nobody is listening any more
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
  ::explicit_bzero(line.data(), line.size());
}

}  // namespace workbook
