#include "search/process.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <sched.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "runtime/symbols.hpp"

namespace explorer {
namespace {

// The executable file, mapped for reading.
class ExecutableFile {
 public:
  ExecutableFile() {
    int fd = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct stat info{};
    if (fd >= 0 && ::fstat(fd, &info) == 0) {
      size_ = static_cast<std::size_t>(info.st_size);
      void* data = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
      data_ = data == MAP_FAILED ? nullptr : static_cast<const unsigned char*>(data);
    }
    if (fd >= 0) ::close(fd);
  }
  ~ExecutableFile() {
    if (data_) ::munmap(const_cast<unsigned char*>(data_), size_);
  }
  ExecutableFile(const ExecutableFile&) = delete;
  ExecutableFile& operator=(const ExecutableFile&) = delete;

  bool ok() const { return data_ != nullptr; }
  const Elf64_Ehdr& header() const { return *reinterpret_cast<const Elf64_Ehdr*>(data_); }
  const unsigned char* data() const { return data_; }
  std::size_t size() const { return size_; }
  template <class T>
  const T* at(std::uint64_t offset) const {
    return reinterpret_cast<const T*>(data_ + offset);
  }

 private:
  const unsigned char* data_ = nullptr;
  std::size_t size_ = 0;
};

extern "C" const char __executable_start[];

Address load_bias(const ExecutableFile& file) {
  return file.header().e_type == ET_DYN ? address_of(__executable_start) : 0;
}

// std::atomic<std::shared_ptr> of libstdc++ 12 reads its pointer under a lock bit that it gives
// back with a relaxed store: a race by the letter of the standard, harmless as compiled.
bool is_formally_racy(std::string_view mangled) {
  return mangled.find("_Sp_atomic") != std::string_view::npos;
}

void add_suppressed(const ExecutableFile& file, const Elf64_Shdr& symbols,
                    const Elf64_Shdr& names) {
  Address bias = load_bias(file);
  std::vector<CodeRange> ranges;
  std::size_t count = symbols.sh_size / sizeof(Elf64_Sym);
  const auto* symbol = file.at<Elf64_Sym>(symbols.sh_offset);
  for (std::size_t i = 0; i < count; ++i, ++symbol) {
    if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC || !symbol->st_value) continue;
    if (!is_formally_racy(file.at<char>(names.sh_offset + symbol->st_name))) continue;
    ranges.push_back({bias + symbol->st_value, bias + symbol->st_value + symbol->st_size});
  }
  std::sort(ranges.begin(), ranges.end(), [](auto& a, auto& b) { return a.begin < b.begin; });
  for (const CodeRange& range : ranges)
    if (code_map.suppressed_count < max_code_ranges)
      code_map.suppressed[code_map.suppressed_count++] = range;
}

void stay_on(unsigned processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  ::sched_setaffinity(0, sizeof set, &set);
}

}  // namespace

void load_code_map() {
  ExecutableFile file;
  if (!file.ok()) return;
  Address bias = load_bias(file);
  const auto* segment = file.at<Elf64_Phdr>(file.header().e_phoff);
  for (int i = 0; i < file.header().e_phnum; ++i, ++segment)
    if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X))
      code_map.program = {bias + segment->p_vaddr, bias + segment->p_vaddr + segment->p_memsz};
  if (!file.header().e_shoff) return;
  const auto* sections = file.at<Elf64_Shdr>(file.header().e_shoff);
  for (int i = 0; i < file.header().e_shnum; ++i)
    if (sections[i].sh_type == SHT_SYMTAB)
      add_suppressed(file, sections[i], sections[sections[i].sh_link]);
}

std::string build_identity() {
  ExecutableFile file;
  std::uint64_t hash = 0xcbf29ce484222325ull;
  if (file.ok()) {
    const auto* segment = file.at<Elf64_Phdr>(file.header().e_phoff);
    for (int i = 0; i < file.header().e_phnum; ++i, ++segment) {
      if (segment->p_type != PT_LOAD) continue;
      const unsigned char* byte = file.data() + segment->p_offset;
      for (std::uint64_t left = segment->p_filesz; left >= 8; left -= 8, byte += 8) {
        std::uint64_t word;
        std::memcpy(&word, byte, 8);
        hash = (hash ^ word) * 0x100000001b3ull;
        hash ^= hash >> 29;
      }
    }
  }
  char text[16];
  std::snprintf(text, sizeof text, "%08x", static_cast<unsigned>(hash ^ (hash >> 32)));
  return text;
}

Processor::Processor(const Times& now) : looked_(now) {
  CPU_ZERO(&allowed_);
  ::sched_getaffinity(0, sizeof allowed_, &allowed_);
  if (const int here = ::sched_getcpu(); here >= 0) stay_on(static_cast<unsigned>(here));
}

void Processor::leave_if_crowded(const Times& now) {
  constexpr double period = 0.1;      // seconds between two looks
  constexpr double fair_share = 0.8;  // of a processor: with less we are not alone on it
  const double passed = now.wall - looked_.wall;
  if (passed < period) return;
  const bool crowded = now.effort - looked_.effort < fair_share * passed;
  looked_ = now;
  const auto allowed = static_cast<std::uint64_t>(CPU_COUNT(&allowed_));
  if (!crowded || allowed < 2) return;
  // Any of them, this one too: of two programs that have met, one had better stay.
  auto left = static_cast<std::uint64_t>(now.wall * 1e9) % allowed;
  for (unsigned number = 0; number < CPU_SETSIZE; ++number) {
    if (CPU_ISSET(number, &allowed_) && left-- == 0) return stay_on(number);
  }
}

}  // namespace explorer
