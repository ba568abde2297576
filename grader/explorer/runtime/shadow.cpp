#include "shadow.hpp"

#include "failure.hpp"
#include "scheduler.hpp"
#include "shadow_memory.hpp"
#include "stacks.hpp"
#include "trace.hpp"

namespace explorer {
namespace {

constexpr std::uint32_t plain_run_before_a_turn = 20000;

extern "C" const char __executable_start[];

std::uint32_t pack(Address pc) {
  return static_cast<std::uint32_t>(pc - address_of(__executable_start));
}
Address unpack(std::uint32_t pc) { return address_of(__executable_start) + pc; }

struct Probe {
  Address address;  // of the whole access
  std::size_t size;
  int flags;
  Address pc;
};

Access describe(const Probe& probe) {
  return {probe.pc,
          probe.address,
          static_cast<std::uint32_t>(runtime.steps),
          static_cast<std::uint32_t>(probe.size),
          static_cast<std::uint8_t>(self->id),
          (probe.flags & access_write) != 0,
          (probe.flags & access_atomic) != 0,
          (probe.flags & access_free) != 0};
}

Access describe(const Slot& slot, Address address) {
  return {unpack(slot.pc),
          address,
          slot.step,
          static_cast<std::uint32_t>(__builtin_popcount(slot.bytes)),
          slot.thread,
          (slot.flags & access_write) != 0,
          (slot.flags & access_atomic) != 0,
          (slot.flags & access_free) != 0};
}

void trace_access(const Probe& probe, std::size_t size) {
  trace(probe.flags & access_free    ? Op::free
        : probe.flags & access_write ? Op::write
                                     : Op::read,
        {.object = reinterpret_cast<void*>(probe.address), .size = static_cast<int>(size & 0xff)});
}

__attribute__((noinline, cold)) void report(const Probe& probe, const Slot& slot, Address granule) {
  bool atomic = probe.flags & access_atomic;
  if (atomic || !shared->plan.watch_end) trace_access(probe, atomic ? 0 : probe.size);
  bool freed = slot.flags & access_free;
  fail_access(freed ? FailureKind::use_after_free : FailureKind::data_race, describe(probe),
              describe(slot, granule));
}

bool conflicting(const Slot& slot, const Thread& thread, int flags) {
  if (slot.flags & access_free) return true;
  if (slot.thread == thread.id) return false;
  if (!((slot.flags | flags) & access_write)) return false;
  if ((slot.flags & access_atomic) && (flags & access_atomic)) return false;
  return !thread.clock.covers(slot.thread, slot.time);
}

// A slot that the new access makes superfluous, else a free one, else any.
int slot_to_use(const Cell& cell, const Thread& thread, std::uint8_t bytes, int flags) {
  for (int i = 0; i < cell.count; ++i) {
    const Slot& slot = cell.slot[i];
    if (slot.bytes & ~bytes) continue;
    bool older = slot.thread == thread.id || thread.clock.covers(slot.thread, slot.time);
    bool weaker = slot.flags == flags || flags == access_write ||
                  (slot.flags == access_atomic && flags == (access_atomic | access_write));
    if (older && weaker) return i;
  }
  if (cell.count < slots_per_cell) return cell.count;
  return static_cast<int>(runtime.steps % slots_per_cell);
}

void access_cell(Address granule, std::uint8_t bytes, const Probe& probe, bool compare) {
  Thread& thread = *self;
  Cell& cell = cell_at(granule);
  int kind = probe.flags & (access_write | access_atomic);
  for (int i = 0; i < cell.count; ++i) {
    const Slot& slot = cell.slot[i];
    if (!(slot.bytes & bytes)) continue;
    if (slot.flags & access_free ? conflicting(slot, thread, kind)
                                 : compare && conflicting(slot, thread, kind))
      report(probe, slot, granule);
  }
  if (cell.sync && kind == access_write && !(probe.flags & access_free)) {
    // A plain write over an atomic or a mutex constructs it anew.
    for (unsigned i = 0; i < 8; ++i)
      if (bytes & (1u << i))
        if (Object* object = find_object(reinterpret_cast<void*>(granule + i)))
          forget_object(*object);
  }
  int i = slot_to_use(cell, thread, bytes, kind);
  if (i == cell.count) ++cell.count;
  cell.slot[i] = Slot{thread.clock.at[thread.id],
                      static_cast<std::uint32_t>(runtime.steps),
                      pack(probe.pc),
                      static_cast<std::uint8_t>(thread.id),
                      bytes,
                      static_cast<std::uint8_t>(kind)};
}

template <class Visit>
void for_each_granule(Address address, std::size_t size, Visit visit) {
  Address end = address + size;
  while (address < end) {
    Address granule = address & ~Address{7};
    Address granule_end = granule + 8 < end ? granule + 8 : end;
    unsigned high = (1u << (granule_end - granule)) - 1, low = (1u << (address - granule)) - 1;
    visit(granule, static_cast<std::uint8_t>(high & ~low));
    address = granule_end;
  }
}

__attribute__((noinline)) void watch(const Probe& probe) {
  if ((probe.flags & access_atomic) || probe.address >= shared->plan.watch_end ||
      probe.address + probe.size <= shared->plan.watch_begin)
    return;
  trace_access(probe, probe.size);
}

void check_frame(Address address, std::size_t size, bool write, Address pc) {
  int owner = thread_of_dead_frame(address);
  if (owner < 0) return;
  Probe probe{address, size, write ? access_write : 0, pc};
  trace(write ? Op::write : Op::read,
        {.object = reinterpret_cast<void*>(address), .size = static_cast<int>(size & 0xff)});
  Access before{};
  before.thread = static_cast<std::uint8_t>(owner);
  fail_access(FailureKind::use_after_return, describe(probe), before);
}

}  // namespace

void on_access(Address address, std::size_t size, int flags, Address pc) {
  Thread& thread = *self;
  if (thread.suppressed && !(flags & access_atomic)) return;
  if (!(flags & access_atomic) && ++thread.plain_run > plain_run_before_a_turn &&
      runtime.alive > 1) {
    thread.plain_run = 0;
    yield_point(Op::yield);  // it may be looping over a plain variable
  }
  if (tracing() && shared->plan.watch_end) watch(Probe{address, size, flags, pc});
  if (address < thread.stack_low || address >= thread.stack_high)
    check_frame(address, size, flags & access_write, pc);
  Probe probe{address, size, flags, pc};
  for_each_granule(address, size, [&](Address granule, std::uint8_t bytes) {
    access_cell(granule, bytes, probe, true);
  });
}

void use_sync_object(const void* object, Address pc) {
  on_access(address_of(object), 1, access_atomic, pc);
  mark_sync_object(object);
}

void mark_sync_object(const void* address) {
  cell_at(address_of(address) & ~Address{7}).sync = true;
}

void check_alive(const void* address, Address pc) {
  Address at = address_of(address);
  if (at < self->stack_low || at >= self->stack_high) check_frame(at, 4, false, pc);
  Cell* cell = existing_cell(at & ~Address{7});
  if (!cell) return;
  Probe probe{at, 4, access_atomic, pc};
  for (int i = 0; i < cell->count; ++i)
    if (cell->slot[i].flags & access_free) report(probe, cell->slot[i], at & ~Address{7});
}

void on_free(Address address, std::size_t size, Address pc, bool checked) {
  Probe probe{address, size, access_write | access_free, pc};
  if (tracing() && shared->plan.watch_end) watch(probe);
  for_each_granule(address, size, [&](Address granule, std::uint8_t bytes) {
    Cell& cell = cell_at(granule);
    if (cell.sync)
      for (Address at = granule; at < granule + 8; ++at)
        if (Object* object = find_object(reinterpret_cast<void*>(at))) {
          check_destroyed(*object);
          forget_object(*object);
        }
    if (checked && !self->suppressed) access_cell(granule, bytes, probe, true);
    cell.count = 1;
    cell.sync = false;
    cell.slot[0] = Slot{self->clock.at[self->id],
                        static_cast<std::uint32_t>(runtime.steps),
                        pack(pc),
                        static_cast<std::uint8_t>(self->id),
                        0xff,
                        access_free | access_write};
  });
}

void check_destroyed(Object& object) {
  const void* address = reinterpret_cast<void*>(object.address);
  shared->failure.object = object.id;
  if (object.kind == ObjectKind::mutex && object.owner >= 0)
    fail(FailureKind::misuse, "it destroys a mutex that thread %d holds", object.owner);
  if (object.kind == ObjectKind::rwlock && (object.owner >= 0 || object.readers > 0))
    fail(FailureKind::misuse, "it destroys a shared mutex that is locked");
  if (object.kind == ObjectKind::condition && waiting(WaitFor::condition, address))
    fail(FailureKind::misuse, "it destroys a condition variable that a thread waits on");
}

}  // namespace explorer
