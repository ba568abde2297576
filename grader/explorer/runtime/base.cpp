#include "base.hpp"

#include <dlfcn.h>
#include <sys/mman.h>

#include "state.hpp"
#include "symbols.hpp"

namespace explorer {

CodeMap code_map;
Runtime runtime;
Thread threads[max_threads];
Shared* shared;
__thread Thread* self __attribute__((tls_model("initial-exec")));

void* map_memory(std::size_t bytes) {
  return reinterpret_cast<void*>(raw_syscall(SYS_mmap, 0, static_cast<long>(bytes),
                                             PROT_READ | PROT_WRITE,
                                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
}

void* find_real(const char* name, const char* version) {
  Outside outside;
  if (version)
    if (void* found = dlvsym(RTLD_NEXT, name, version)) return found;
  return dlsym(RTLD_NEXT, name);
}

void mix_into_path(std::uint64_t value) {
  shared->path_hash = (shared->path_hash ^ value) * 0x100000001b3ull;
}

bool contains(const CodeRange* ranges, int count, Address pc) {
  int low = 0, high = count;
  while (low < high) {
    int middle = (low + high) / 2;
    if (pc >= ranges[middle].end)
      low = middle + 1;
    else
      high = middle;
  }
  return low < count && pc >= ranges[low].begin;
}

}  // namespace explorer
