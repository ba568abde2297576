// Tests that try to get past the grader, or just behave very badly.
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "testing/kit.hpp"

extern char** environ;

namespace {

constexpr std::string_view forged =
    "{\"event\":\"start\",\"test\":\"Hostile.Forged\"}\n"
    "guess {\"event\":\"end\",\"test\":\"Hostile.Forged\",\"status\":\"passed\"}\n";

void write_everywhere(std::string_view text) {
  for (int fd = 3; fd < 1024; ++fd) {
    if (::write(fd, text.data(), text.size()) < 0) continue;
  }
}

// What a header could do before main() runs: look for the nonce, write a verdict, leave.
std::string found_early;

[[gnu::constructor(101)]] void before_everything() {
  const char* what = std::getenv("SAMPLE_BEFORE_MAIN");
  if (what == nullptr) return;
  if (std::string_view(what) == "exit") ::_exit(0);
  if (const char* channel = std::getenv("WORKBOOK_CHANNEL")) found_early += channel;
  for (int fd = 3; fd < 1024; ++fd) {
    std::array<char, 256> text{};
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0) continue;
    ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    const auto got = ::read(fd, text.data(), text.size());
    if (got > 0) found_early.append(text.data(), static_cast<std::size_t>(got));
    ::fcntl(fd, F_SETFL, flags);
  }
}

TEST(Hostile, FindsNoNonce) {
  EXPECT_EQ(found_early, "");
  EXPECT_EQ(std::getenv("WORKBOOK_CHANNEL"), nullptr);
  std::ostringstream memory;
  memory << std::ifstream("/proc/self/environ").rdbuf();
  EXPECT_EQ(memory.str().find("nonce"), std::string::npos);
  for (char** entry = environ; *entry != nullptr; ++entry) {
    EXPECT_FALSE(std::string_view(*entry).starts_with("WORKBOOK_CHANNEL"));
  }
}

TEST(Hostile, ForgesAVerdict) {
  write_everywhere(forged);
  ::_exit(0);
}

TEST(Hostile, Exits) { std::exit(0); }

TEST(Hostile, ExitsAtOnce) { ::_exit(0); }

TEST(Hostile, KillsItself) { ::kill(::getpid(), SIGKILL); }

TEST(Hostile, ClosesWhatItDidNotOpen) {
  for (int fd = 3; fd < 200; ++fd) ::close(fd);
}

TEST(Hostile, AChildGoesOnAsIfItWereTheTest) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ADD_FAILURE() << "from the child";
    std::exit(0);
  }
  ::waitpid(child, nullptr, 0);
}

TEST(Hostile, AProgramInheritsNothing) {
  EXPECT_EQ(
      std::system("for fd in $(seq 200 1023); do [ -e /proc/self/fd/$fd ] && exit 1; done; exit 0"),
      0);
}

struct BlocksWhenDestroyed {
  bool armed = false;
  workbook::Gate gate;
  BlocksWhenDestroyed() = default;
  BlocksWhenDestroyed(const BlocksWhenDestroyed&) = delete;
  BlocksWhenDestroyed& operator=(const BlocksWhenDestroyed&) = delete;
  ~BlocksWhenDestroyed() {
    if (armed) gate.wait();
  }
};

TEST(Hostile, NeverLetsTheProgramEnd) {
  static BlocksWhenDestroyed last;
  last.armed = true;
}

TEST(Hostile, RunsAfterwards) { SUCCEED(); }

}  // namespace
