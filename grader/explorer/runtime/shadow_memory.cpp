#include "shadow_memory.hpp"

#include "failure.hpp"

namespace explorer {
namespace {

constexpr int page_bits = 9;
constexpr int cells_per_page = 1 << (page_bits - 3);
constexpr int page_table_size = 1 << 16;

struct Page {
  Address key;
  Cell cell[cells_per_page];
};

Page** page_table;
int page_count;
Page* last_page;

Page* new_page() {
  static char* free_memory;
  static std::size_t left;
  if (left < sizeof(Page)) {
    left = 1 << 22;
    free_memory = static_cast<char*>(map_memory(left));
  }
  Page* page = reinterpret_cast<Page*>(free_memory);
  free_memory += sizeof(Page);
  left -= sizeof(Page);
  return page;
}

Page* page_of(Address address, bool create) {
  Address key = address >> page_bits;
  if (last_page && last_page->key == key) return last_page;
  std::uint32_t h = static_cast<std::uint32_t>(key * 0x9e3779b97f4a7c15ull >> 40);
  for (std::uint32_t i = 0;; ++i) {
    Page*& entry = page_table[(h + i) % page_table_size];
    if (!entry) {
      if (!create) return nullptr;
      if (++page_count > page_table_size / 2)
        cannot_explore("the test touches more than %d MB of memory", page_table_size >> 12);
      entry = new_page();
      entry->key = key;
    }
    if (entry->key == key) return last_page = entry;
  }
}

Cell& cell_in(Page& page, Address address) { return page.cell[(address >> 3) % cells_per_page]; }

}  // namespace

Cell* existing_cell(Address address) {
  Page* page = page_of(address, false);
  if (!page) return nullptr;
  Cell& cell = cell_in(*page, address);
  return cell.generation == runtime.generation ? &cell : nullptr;
}

Cell& cell_at(Address address) {
  Cell& cell = cell_in(*page_of(address, true), address);
  if (cell.generation != runtime.generation) {
    cell.generation = runtime.generation;
    cell.count = 0;
    cell.sync = false;
  }
  return cell;
}

void forget_cells(Address address, std::size_t size) {
  for (Address at = address & ~Address{7}; at < address + size;) {
    Page* page = page_of(at, false);
    Address page_end = ((at >> page_bits) + 1) << page_bits;
    if (page_end > address + size) page_end = address + size;
    for (; at < page_end; at += 8)
      if (page) cell_in(*page, at).generation = 0;
  }
}

void reset_shadow() {
  if (!page_table) page_table = static_cast<Page**>(map_memory(sizeof(Page*) * page_table_size));
}

}  // namespace explorer
