// malloc and free while a schedule runs: every thread has its own region, handed out in one
// direction. So no address comes back within a schedule (a use after free is always seen), and the
// same schedule gets the same addresses in every process. Outside of schedules libc's heap serves.
#include "heap.hpp"

#include <errno.h>
#include <malloc.h>
#include <sys/mman.h>

#include "failure.hpp"
#include "shadow.hpp"
#include "shadow_memory.hpp"
#include "symbols.hpp"

extern "C" {
void* __libc_malloc(std::size_t);
void __libc_free(void*);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
}

namespace explorer {
namespace {

constexpr Address wanted_base = 0x200000000000;
constexpr std::size_t region_size = 64 << 20;
constexpr std::size_t chunk = 1 << 20;          // committed at a time
constexpr std::size_t largest_block = 4 << 20;  // bigger ones are libc's
constexpr std::size_t alignment = 16;
constexpr unsigned char fresh = 0xbe;  // what uninitialised memory holds: always the same

enum BlockState : std::uint32_t { live = 0x11feb10c, freed = 0xdeadb10c, filler = 0xf111b10c };

struct alignas(alignment) Header {
  std::uint32_t span;  // to the next header
  std::uint32_t size;  // what was asked for
  std::uint32_t state;
  std::uint32_t generation;
};

struct Region {
  Address start;  // of this schedule's blocks; older ones that are still alive lie before
  Address next;
  Address committed;  // memory up to here is usable
};

Address base;
Region regions[max_threads];

void reserve() {
  std::size_t total = region_size * max_threads;
  long got =
      raw_syscall(SYS_mmap, static_cast<long>(wanted_base), static_cast<long>(total), PROT_NONE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  if (got < 0 && got > -4096)
    got = raw_syscall(SYS_mmap, 0, static_cast<long>(total), PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (got < 0 && got > -4096) cannot_explore("there is no address space for the heap");
  base = static_cast<Address>(got);
  for (int i = 0; i < max_threads; ++i) {
    Address start = base + static_cast<Address>(i) * region_size;
    regions[i] = Region{start, start, start};
  }
}

bool is_ours(const void* pointer) {
  return base && address_of(pointer) >= base &&
         address_of(pointer) < base + region_size * max_threads;
}

Header& header_of(const void* pointer) {
  return *reinterpret_cast<Header*>(address_of(pointer) - sizeof(Header));
}

std::size_t round_up(std::size_t value, std::size_t to) { return (value + to - 1) & ~(to - 1); }

bool commit(Region& region, Address end) {
  while (region.committed < end) {
    if (raw_syscall(SYS_mprotect, static_cast<long>(region.committed), chunk,
                    PROT_READ | PROT_WRITE) < 0)
      return false;
    region.committed += chunk;
  }
  return true;
}

// Null when the region is full: then libc serves.
void* take(std::size_t size, std::size_t align) {
  Region& region = regions[self->id];
  Address limit = base + static_cast<Address>(self->id + 1) * region_size;
  Address block = round_up(region.next + sizeof(Header), align);
  std::size_t span = sizeof(Header) + round_up(size ? size : 1, alignment);
  Address end = block - sizeof(Header) + span;
  if (end > limit || !commit(region, end)) return nullptr;
  if (std::size_t gap = block - sizeof(Header) - region.next)
    *reinterpret_cast<Header*>(region.next) = Header{static_cast<std::uint32_t>(gap), 0, filler, 0};
  header_of(reinterpret_cast<void*>(block)) = Header{
      static_cast<std::uint32_t>(span), static_cast<std::uint32_t>(size), live, runtime.generation};
  region.next = end;
  return reinterpret_cast<void*>(block);
}

void* from_libc(std::size_t size, std::size_t align) {
  void* block = align > alignment ? __libc_memalign(align, size) : __libc_malloc(size);
  if (block) forget_cells(address_of(block), size);
  return block;
}

void* allocate(std::size_t size, std::size_t align = alignment) {
  if (size <= largest_block)
    if (void* block = take(size, align < alignment ? alignment : align)) {
      fill_bytes(block, fresh, size < 4096 ? size : 4096);
      return block;
    }
  return from_libc(size, align);
}

void release_block(void* pointer, Address pc, bool checked) {
  Header& header = header_of(pointer);
  if (!active()) {  // a thread on its way out, or the host between schedules
    header.state = freed;
    return;
  }
  if (header.state == freed && header.generation == runtime.generation)
    on_access(address_of(pointer), 1, access_write, pc);  // reports who freed it before
  if (header.state != live) fail(FailureKind::misuse, "it frees memory that it did not allocate");
  header.state = freed;
  on_free(address_of(pointer), header.size, pc, checked);
}

}  // namespace

void begin_heap() {
  if (!base) reserve();
  // What the last schedule left alive (a static's memory, a leak) stays; the rest is used again.
  for (int i = 0; i < max_threads; ++i) {
    Region& region = regions[i];
    Address keep = region.start;
    for (Address at = region.start; at < region.next; at += reinterpret_cast<Header*>(at)->span)
      if (reinterpret_cast<Header*>(at)->state == live)
        keep = at + reinterpret_cast<Header*>(at)->span;
    region.start = region.next = keep;
  }
}

bool heap_has_room() {
  for (int i = 0; i < max_threads; ++i)
    if (regions[i].start > base + static_cast<Address>(i) * region_size + region_size / 2)
      return false;
  return true;
}

Address identity_of(Address address) {
  if (!is_ours(reinterpret_cast<void*>(address))) return address;
  const Region& region = regions[(address - base) / region_size];
  // Blocks from before count from the beginning, the schedule's own from where it started.
  constexpr Address own = Address{1} << 56;
  return address < region.start
             ? address
             : own + (address - base) / region_size * region_size + (address - region.start);
}

// `pc` of a delete or free; only the program's own calls are compared with earlier accesses, the
// libraries' synchronisation being invisible.
void free_memory(void* pointer, Address pc) {
  if (!pointer) return;
  if (is_ours(pointer)) return release_block(pointer, pc, in_program(pc));
  __libc_free(pointer);
}

}  // namespace explorer

using namespace explorer;

EXPLORER_EXPORT void* malloc(std::size_t size) {
  return active() ? allocate(size) : __libc_malloc(size);
}

EXPLORER_EXPORT void* calloc(std::size_t count, std::size_t size) {
  if (!active()) return __libc_calloc(count, size);
  std::size_t total;
  if (__builtin_mul_overflow(count, size, &total)) return nullptr;
  void* block = allocate(total);
  if (block) fill_bytes(block, 0, total);
  return block;
}

EXPLORER_EXPORT void* memalign(std::size_t align, std::size_t size) {
  return active() ? allocate(size, align) : __libc_memalign(align, size);
}

EXPLORER_EXPORT void* aligned_alloc(std::size_t align, std::size_t size) {
  return active() ? allocate(size, align) : __libc_memalign(align, size);
}

EXPLORER_EXPORT int posix_memalign(void** out, std::size_t align, std::size_t size) {
  *out = active() ? allocate(size, align) : __libc_memalign(align, size);
  return *out ? 0 : ENOMEM;
}

EXPLORER_EXPORT void free(void* pointer) { free_memory(pointer, EXPLORER_CALLER); }

EXPLORER_EXPORT std::size_t malloc_usable_size(void* pointer) {
  if (is_ours(pointer)) return header_of(pointer).size;
  return pointer ? EXPLORER_REAL(malloc_usable_size)(pointer) : 0;
}

EXPLORER_EXPORT void* realloc(void* pointer, std::size_t size) {
  if (!active() && !is_ours(pointer)) return __libc_realloc(pointer, size);
  Address pc = EXPLORER_CALLER;
  void* block = active() ? allocate(size) : __libc_malloc(size);
  if (!block || !pointer) return block;
  std::size_t old = malloc_usable_size(pointer);
  copy_bytes(block, pointer, old < size ? old : size);
  free_memory(pointer, pc);
  return block;
}
