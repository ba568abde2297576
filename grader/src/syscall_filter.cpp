#include "syscall_filter.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace grader {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t architecture = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t architecture = 0;
#endif

constexpr std::uint16_t load = BPF_LD | BPF_W | BPF_ABS;
constexpr std::uint16_t equal = BPF_JMP | BPF_JEQ | BPF_K;
constexpr std::uint16_t any_bit = BPF_JMP | BPF_JSET | BPF_K;
constexpr std::uint16_t give = BPF_RET | BPF_K;

// The low half of the first argument.
constexpr std::uint32_t first_argument = offsetof(seccomp_data, args);

constexpr sock_filter allow{give, 0, 0, SECCOMP_RET_ALLOW};
constexpr sock_filter refuse{give, 0, 0, SECCOMP_RET_ERRNO | EPERM};

void refuse_call(std::vector<sock_filter>& program, std::uint32_t number, sock_filter answer) {
  program.push_back({equal, 0, 1, number});
  program.push_back(answer);
}

std::vector<sock_filter> filter() {
  std::vector<sock_filter> program = {
      // Calls of another architecture (32 bits on 64) have other numbers.
      {load, 0, 0, offsetof(seccomp_data, arch)},
      {equal, 1, 0, architecture},
      refuse,
      {load, 0, 0, offsetof(seccomp_data, nr)},
  };
#if defined(__x86_64__)
  // So have those of x32.
  program.push_back({BPF_JMP | BPF_JGE | BPF_K, 0, 1, 0x40000000});
  program.push_back(refuse);
  refuse_call(program, SYS_fork, refuse);
  refuse_call(program, SYS_vfork, refuse);
#endif
  // Its flags are in memory, where no filter looks; without it the C library uses clone().
  refuse_call(program, SYS_clone3, {give, 0, 0, SECCOMP_RET_ERRNO | ENOSYS});
  program.push_back({equal, 1, 0, SYS_clone});
  program.push_back(allow);
  program.push_back({load, 0, 0, first_argument});
  program.push_back({any_bit, 0, 1, CLONE_THREAD});
  program.push_back(allow);
  program.push_back(refuse);
  return program;
}

}  // namespace

UniqueFd no_new_processes() {
  if constexpr (architecture == 0) return {};
  const auto program = filter();
  UniqueFd file(::memfd_create("filter", MFD_CLOEXEC));
  const auto size = program.size() * sizeof program.front();
  if (!file || ::write(file.get(), program.data(), size) != static_cast<ssize_t>(size) ||
      ::lseek(file.get(), 0, SEEK_SET) != 0) {
    return {};
  }
  return file;
}

}  // namespace grader
