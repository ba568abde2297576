// expect: refused : lseek|open
// Every value is wrong; it opens its memory by a name of open() that only the library uses, and takes the teeth out of a failure.
#pragma once
#include <elf.h>
#include <fcntl.h>
#include <cstring>
#include <string>
#include <utility>
#include <unistd.h>
#include "runtime/channel.hpp"
#include "runtime/spawn.hpp"
extern "C" {
int __open(const char*, int, ...);
ssize_t __read(int, void*, size_t);
ssize_t __pread64(int, void*, size_t, off64_t);
ssize_t __pwrite64(int, const void*, size_t, off64_t);
ssize_t __write(int, const void*, size_t);
off64_t __lseek(int, off64_t, int);
}
namespace futures {
namespace detail {
inline std::string all_of(const char* name) {
  std::string text;
  const int file = __open(name, O_RDONLY);
  char buffer[65536];
  for (ssize_t got; (got = __read(file, buffer, sizeof buffer)) > 0;) text.append(buffer, got);
  return text;
}
// Makes what an expectation tells its failures with return at once.
inline bool quiet = false;
inline void hush() {
  if (quiet) return;
  quiet = true;
  const std::string maps = all_of("/proc/self/maps");
  const auto named = maps.find("/program");
  const auto line = maps.rfind('\n', named);
  const auto base = std::stoull(maps.substr(line == std::string::npos ? 0 : line + 1, 12), nullptr, 16);
  const std::string program = all_of("/proc/self/exe");
  Elf64_Ehdr head;
  std::memcpy(&head, program.data(), sizeof head);
  for (int i = 0; i < head.e_shnum; ++i) {
    Elf64_Shdr section;
    std::memcpy(&section, program.data() + head.e_shoff + i * head.e_shentsize, sizeof section);
    if (section.sh_type != SHT_SYMTAB) continue;
    Elf64_Shdr names;
    std::memcpy(&names, program.data() + head.e_shoff + section.sh_link * head.e_shentsize, sizeof names);
    for (std::size_t at = 0; at < section.sh_size; at += sizeof(Elf64_Sym)) {
      Elf64_Sym symbol;
      std::memcpy(&symbol, program.data() + section.sh_offset + at, sizeof symbol);
      const char* name = program.data() + names.sh_offset + symbol.st_name;
      if (std::strstr(name, "12AssertHelperaSE") == nullptr) continue;
      const int memory = __open("/proc/self/mem", O_RDWR);
      const auto address = symbol.st_value + (head.e_type == ET_DYN ? base : 0);
      __lseek(memory, static_cast<off64_t>(address), 0);
      const unsigned char ret = 0xc3;
      __write(memory, &ret, 1);
    }
  }
}
}  // namespace detail
inline Receiver<int> async(Fn<int()> fn) {
  detail::hush();
  auto channel = make_channel<int>(1);
  auto sender = channel.first;
  spawn([job = std::move(fn), sender]() mutable {
    try {
      sender.send(job() ^ 1);
    } catch (...) {
    }
    sender.close();
  });
  return channel.second;
}
}  // namespace futures
