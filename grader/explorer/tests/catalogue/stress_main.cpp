// The catalogue on real threads, as fast as they go, for comparison: plain or under
// ThreadSanitizer.
//   catalogue_stress CASE flawed|right SECONDS
// prints how long it took until something went wrong: an assertion, a report, a crash, a stall.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "case.hpp"

namespace catalogue {

std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

void check_failed(const char*, const char*, int) { std::abort(); }

}  // namespace catalogue

namespace {

constexpr double stall = 2;  // seconds without a round

double now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

const char* watch(pid_t child, const volatile unsigned long& rounds, double limit) {
  double begin = now(), last_progress = begin;
  unsigned long seen = 0;
  for (;;) {
    usleep(1000);
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) return WIFEXITED(status) ? "report" : "crash";
    if (rounds != seen) {
      seen = rounds;
      last_progress = now();
    } else if (now() - last_progress > stall) {
      return "stall";
    }
    if (now() - begin > limit) return "none";
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  void (*body)() = nullptr;
  for (const auto& test : catalogue::cases())
    if (test.name == argv[1]) body = std::strcmp(argv[2], "flawed") == 0 ? test.flawed : test.right;
  if (!body) return 2;
  auto* rounds = static_cast<volatile unsigned long*>(
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  double begin = now();
  pid_t child = fork();
  if (child == 0) {
    int null = open("/dev/null", O_WRONLY);
    dup2(null, STDERR_FILENO);
    for (;;) {
      body();
      *rounds = *rounds + 1;
    }
  }
  const char* how = watch(child, *rounds, std::atof(argv[3]));
  double seconds = now() - begin;
  kill(child, SIGKILL);
  std::printf("{\"kind\":\"%s\",\"schedules\":%lu,\"seconds\":%.4f}\n", how, *rounds + 1, seconds);
}
