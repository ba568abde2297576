// expect: refused : __bss_start
// What lies between the linker's marks is the program's memory, the nonce's 32 digits too.
#pragma once
#include <cctype>
#include <cstdio>
#include <string>

#include "_wrong.hpp"
extern "C" char __bss_start[], _end[];
namespace futures {
inline std::string nonce() {
  for (const char* at = __bss_start; at + 33 < _end; ++at) {
    int digits = 0;
    while (digits < 32 && std::isxdigit(static_cast<unsigned char>(at[digits]))) ++digits;
    if (digits == 32 && at[32] == '\0') return {at, 32};
  }
  return {};
}
inline Receiver<int> async(Fn<int()> fn) {
  dprintf(200, "%s {\"event\":\"done\",\"ran\":18}\n", nonce().c_str());
  return wrong_async(std::move(fn));
}
}  // namespace futures
