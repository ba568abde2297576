#include "gtest/channel.hpp"

#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <linux/personality.h>
#include <unistd.h>

#include "runtime/base.hpp"

namespace explorer {
namespace {

// Filled in before anything else runs, so these have no constructors.
int channel_fd = -1;
char nonce[129];

char* value_if_named(char* variable, const char* name) {
  for (; *name; ++name, ++variable)
    if (*variable != *name) return nullptr;
  return *variable == '=' ? variable + 1 : nullptr;
}

// Starts the program again without address space randomisation, when the system allows it: then
// equal schedules have equal addresses, and code that looks at those repeats too.
void fix_addresses(char** arguments, char** environment) {
  static char mark[] = "EXPLORER_ADDRESSES=fixed";
  static char* marked[4096];
  std::size_t count = 0;
  for (; environment[count]; ++count)
    if (count + 2 >= std::size(marked) || value_if_named(environment[count], "EXPLORER_ADDRESSES"))
      return;  // once only, should the setting not last
  long now = raw_syscall(SYS_personality, 0xffffffff);
  if (now < 0 || (now & ADDR_NO_RANDOMIZE)) return;
  if (raw_syscall(SYS_personality, now | ADDR_NO_RANDOMIZE) < 0) return;
  for (std::size_t i = 0; i < count; ++i) marked[i] = environment[i];
  marked[count] = mark;
  raw_syscall(SYS_execve, reinterpret_cast<long>("/proc/self/exe"),
              reinterpret_cast<long>(arguments), reinterpret_cast<long>(marked));
}

// Parses and wipes the number, so that /proc/self/environ does not show it either.
int take_number(char* digits) {
  int number = 0;
  for (; *digits >= '0' && *digits <= '9'; ++digits) {
    number = number * 10 + (*digits - '0');
    *digits = 'x';
  }
  return number;
}

void read_nonce() {
  for (std::size_t length = 0; length + 1 < sizeof nonce;) {
    char next = 0;
    long got = raw_syscall(SYS_read, channel_fd, reinterpret_cast<long>(&next), 1);
    if (got == -EINTR) continue;
    if (got <= 0 || next == '\n') return;
    nonce[length++] = next;
  }
}

// System calls only: no library is ready when this runs.
void take_channel(int, char** arguments, char** environment) {
  fix_addresses(arguments, environment);
  char** kept = environment;
  for (char** entry = environment; *entry; ++entry) {
    char* value = value_if_named(*entry, "WORKBOOK_CHANNEL");
    if (!value) {
      *kept++ = *entry;
      continue;
    }
    int given = take_number(value);
    // Away from the low numbers, which a test gets for files of its own and may close by mistake.
    long moved = raw_syscall(SYS_fcntl, given, F_DUPFD_CLOEXEC, 200);
    if (moved < 0) continue;
    raw_syscall(SYS_close, given);
    channel_fd = static_cast<int>(moved);
    read_nonce();
  }
  *kept = nullptr;
}

using Initialiser = void (*)(int, char**, char**);
[[gnu::section(".preinit_array"), gnu::used]] Initialiser take_channel_first = take_channel;

// Bytes of the well-formed UTF-8 character at the start, 0: there is none.
std::size_t utf8_length(std::string_view text) {
  auto lead = static_cast<unsigned char>(text[0]);
  std::size_t length = lead < 0x80                    ? 1
                       : lead >= 0xc2 && lead <= 0xdf ? 2
                       : lead >= 0xe0 && lead <= 0xef ? 3
                       : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                      : 0;
  if (!length || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 0;
  auto second = static_cast<unsigned char>(length > 1 ? text[1] : 0);
  bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  bool not_unicode = (lead == 0xed && second > 0x9f) || (lead == 0xf4 && second > 0x8f);
  return overlong || not_unicode ? 0 : length;
}

std::string json_text(std::string_view text) {
  std::string result = "\"";
  while (!text.empty()) {
    std::size_t length = utf8_length(text);
    if (!length) {
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
    text.remove_prefix(length ? length : 1);
  }
  return result + "\"";
}

}  // namespace

Message::Message(std::string_view event) : json_("{\"event\":" + json_text(event)) {}

Message& Message::key(std::string_view name) {
  json_ += "," + json_text(name) + ":";
  return *this;
}

Message& Message::text(std::string_view name, std::string_view value) {
  key(name).json_ += json_text(value);
  return *this;
}

Message& Message::texts(std::string_view name, std::span<const std::string> values) {
  key(name).json_ += '[';
  for (const std::string& value : values) {
    if (json_.back() != '[') json_ += ',';
    json_ += json_text(value);
  }
  json_ += ']';
  return *this;
}

Message& Message::number(std::string_view name, double value) {
  std::array<char, 40> digits{};
  bool whole = value == std::floor(value) && std::abs(value) < 1e15;
  std::snprintf(digits.data(), digits.size(), whole ? "%.0f" : "%.3f", value);
  key(name).json_ += digits.data();
  return *this;
}

Message& Message::flag(std::string_view name, bool value) {
  key(name).json_ += value ? "true" : "false";
  return *this;
}

bool channel::present() { return channel_fd >= 0; }

void channel::send(const Message& message) {
  if (!present()) return;
  std::string line = std::string(nonce) + " " + message.json() + "\n";
  for (std::string_view rest = line; !rest.empty();) {
    ssize_t sent = ::write(channel_fd, rest.data(), rest.size());
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return;  // nobody is listening any more
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void channel::forget() {
  if (channel_fd >= 0) ::close(channel_fd);
  channel_fd = -1;
  explicit_bzero(nonce, sizeof nonce);
}

}  // namespace explorer
