// Atomics, and what a load of one may return.
//
// The stores to an atomic are kept in modification order, which is the order they were executed
// in; read-modify-writes always see the latest. A plain load may return an older store as long as
//  - neither a later store, nor a load that saw a later one, happens before it (coherence), and
//  - sequential consistency does not forbid it: SC operations on one object see each other in the
//    order of execution (History::sc_floor); SC fences and operations order across objects
//    (runtime.sc_all, sc_fences: C++20 [atomics.order] 4.2-4.4).
// That is a subset of what the standard allows, never more: a failure found this way is real.
#include "choice.hpp"
#include "scheduler.hpp"
#include "shadow.hpp"
#include "trace.hpp"

namespace explorer {
namespace {

enum Order { relaxed, consume, acquire_order, release_order, acq_rel, seq_cst };

Order order_of(int order) { return static_cast<Order>(order & 0xff); }
bool acquires(Order o) {
  return o == consume || o == acquire_order || o == acq_rel || o == seq_cst;
}
bool releases(Order o) { return o == release_order || o == acq_rel || o == seq_cst; }

constexpr int longest_stale_run = 3;  // a store becomes visible in finite time

template <class T>
std::uint64_t bits_of(T value) {
  if constexpr (sizeof(T) > 8) return static_cast<std::uint64_t>(value);
  return static_cast<std::uint64_t>(value);
}

template <class T>
std::int64_t shown(T value) {
  if constexpr (sizeof(T) == 4) return static_cast<std::int32_t>(value);
  return static_cast<std::int64_t>(bits_of(value));
}

void see(StoreRecord& store) {
  std::uint32_t& first = store.seen[self->id];
  if (!first) first = self->clock.at[self->id];
}

void push(Object& object, std::uint64_t value, const VectorClock& carried, Order order) {
  History& history = object.history;
  StoreRecord& store = history.at(history.count++);
  store.value = value;
  store.release.assign(carried);
  fill_bytes(store.seen, 0, sizeof store.seen);
  see(store);
  if (order == seq_cst) history.sc_floor = history.count - 1;
}

// The history starts, or starts again, with what is in memory: a plain write made it.
template <class T>
void synchronise_history(Object& object, const volatile T* address) {
  History& history = object.history;
  std::uint64_t value = bits_of(*address);
  if (history.count && history.at(history.count - 1).value == value) return;
  history.count = 1;
  history.sc_floor = 0;
  fill_bytes(history.stale_run, 0, sizeof history.stale_run);
  StoreRecord& store = history.at(0);
  store.value = value;
  store.release.clear();
  store.release.join(object.release);
  fill_bytes(store.seen, 0, sizeof store.seen);
}

// SC operations and fences keep a common view; see the comment at the top.
void pass_sc_operation() {
  runtime.sc_all.join(self->clock);
  runtime.sc_all.join(self->view);
  tick(self);
}

bool covered(const StoreRecord& store, bool sc_load) {
  for (int i = 0; i < runtime.thread_count; ++i) {
    std::uint32_t first = store.seen[i];
    if (!first) continue;
    if (self->clock.covers(i, first) || self->view.covers(i, first)) return true;
    if (sc_load && runtime.sc_fences.covers(i, first)) return true;
  }
  return false;
}

// The oldest store that a load by this thread may return.
std::uint32_t oldest_readable(Object& object, Order order) {
  History& history = object.history;
  std::uint32_t latest = history.count - 1;
  std::uint32_t oldest = history.count > history_length ? history.count - history_length : 0;
  if (order == seq_cst && history.sc_floor > oldest) oldest = history.sc_floor;
  for (std::uint32_t i = latest; i > oldest; --i)
    if (covered(history.at(i), order == seq_cst)) return i;
  return oldest;
}

template <class T>
T load(const volatile T* address, int order_code, Address pc) {
  if (!active()) return *address;
  Order order = order_of(order_code);
  Object& object = schedule_point(Op::load, const_cast<const T*>(address), ObjectKind::atomic);
  on_access(address_of(address), sizeof(T), access_atomic, pc);
  mark_sync_object(const_cast<const T*>(address));
  T value = *address;
  bool stale = false;
  const VectorClock* learned = &object.release;
  if constexpr (sizeof(T) <= 8) {
    synchronise_history(object, address);
    History& history = object.history;
    std::uint32_t latest = history.count - 1, back = 0;
    std::uint8_t& run = history.stale_run[self->id];
    std::uint32_t span = latest ? latest - oldest_readable(object, order) : 0;
    if (span && run < longest_stale_run)
      back = static_cast<std::uint32_t>(
          choose(Choice::stale_read, static_cast<int>(span) + 1, runtime.rate_stale));
    run = static_cast<std::uint8_t>(back ? run + 1 : 0);
    StoreRecord& store = history.at(latest - back);
    see(store);
    learned = &store.release;
    value = static_cast<T>(store.value);
    stale = back != 0;
    if (order == seq_cst && latest - back > history.sc_floor) history.sc_floor = latest - back;
  }
  if (acquires(order))
    self->clock.join(*learned);
  else
    self->acquire_fence.join(*learned);
  if (order == seq_cst) pass_sc_operation();
  note_idle(pc, address_of(address) * 31 + bits_of(value));
  trace(Op::load, {.object = const_cast<const T*>(address),
                   .value = shown(value),
                   .size = sizeof(T),
                   .flags = stale ? flag_stale : 0});
  return value;
}

// What an acquiring load of a store with this order learns.
const VectorClock& carried_by(Order order) {
  return releases(order) ? self->clock : self->release_fence;
}

template <class T>
void store(volatile T* address, T value, int order_code, Address pc) {
  if (!active()) {
    *address = value;
    return;
  }
  Order order = order_of(order_code);
  Object& object = schedule_point(Op::store, const_cast<T*>(address), ObjectKind::atomic);
  on_access(address_of(address), sizeof(T), access_atomic | access_write, pc);
  mark_sync_object(const_cast<T*>(address));
  synchronise_history(object, address);
  if (*address != value) note_progress();
  object.release.assign(carried_by(order));  // a plain store ends a release sequence
  *address = value;
  push(object, bits_of(value), object.release, order);
  if (order == seq_cst)
    pass_sc_operation();
  else if (releases(order))
    tick(self);
  trace(Op::store, {.object = const_cast<T*>(address), .value = shown(value), .size = sizeof(T)});
}

// The write half of a read-modify-write: continues the release sequence it read from.
template <class T>
void write_after_read(Object& object, volatile T* address, T value, Order order) {
  if (*address != value) note_progress();
  object.release.join(carried_by(order));
  *address = value;
  push(object, bits_of(value), object.release, order);
  if (order == seq_cst)
    pass_sc_operation();
  else if (releases(order))
    tick(self);
}

void read_latest(Object& object, Order order) {
  History& history = object.history;
  see(history.at(history.count - 1));
  history.stale_run[self->id] = 0;
  if (acquires(order))
    acquire(object);
  else
    self->acquire_fence.join(object.release);
}

template <class T, class Change>
T read_modify_write(volatile T* address, int order_code, Address pc, Change change) {
  if (!active()) {
    T old = *address;
    *address = change(old);
    return old;
  }
  Order order = order_of(order_code);
  Object& object = schedule_point(Op::exchange, const_cast<T*>(address), ObjectKind::atomic);
  on_access(address_of(address), sizeof(T), access_atomic | access_write, pc);
  mark_sync_object(const_cast<T*>(address));
  synchronise_history(object, address);
  T old = *address, value = change(old);
  read_latest(object, order);
  if (old == value) note_idle(pc, address_of(address) * 31 + bits_of(value));
  write_after_read(object, address, value, order);
  trace(Op::exchange,
        {.object = const_cast<T*>(address), .value = shown(value), .size = sizeof(T)});
  return old;
}

template <class T>
bool compare_exchange(volatile T* address, T* expected, T value, int order_code, int fail_code,
                      bool weak, Address pc) {
  if (!active()) {
    T old = *address;
    if (old == *expected) {
      *address = value;
      return true;
    }
    *expected = old;
    return false;
  }
  Object& object =
      schedule_point(Op::compare_exchange, const_cast<T*>(address), ObjectKind::atomic);
  synchronise_history(object, address);
  T old = *address;
  bool equal = old == *expected;
  bool spurious = equal && weak && choose(Choice::weak_failure, 2, runtime.rate_weak);
  bool done = equal && !spurious;
  Order order = order_of(done ? order_code : fail_code);
  on_access(address_of(address), sizeof(T), access_atomic | (done ? access_write : 0), pc);
  mark_sync_object(const_cast<T*>(address));
  read_latest(object, order);
  if (done) {
    write_after_read(object, address, value, order);
  } else {
    *expected = old;
    if (order == seq_cst) {
      object.history.sc_floor = object.history.count - 1;
      pass_sc_operation();
    }
    note_idle(pc, address_of(address) * 31 + bits_of(old));
  }
  trace(Op::compare_exchange, {.object = const_cast<T*>(address),
                               .value = shown(done ? value : old),
                               .size = sizeof(T),
                               .flags = (done ? 0 : flag_failed) | (spurious ? flag_spurious : 0)});
  return done;
}

void fence(int order_code) {
  if (!active()) return;
  Order order = order_of(order_code);
  if (order == seq_cst) {
    schedule_point(Op::fence, &runtime.sc_fences, ObjectKind::unknown);
    self->view.join(runtime.sc_all);
    self->view.join(runtime.sc_fences);
    runtime.sc_fences.join(self->clock);
    runtime.sc_fences.join(self->view);
  }
  if (acquires(order)) self->clock.join(self->acquire_fence);
  if (releases(order)) self->release_fence.assign(self->clock);
  if (order == seq_cst) {
    runtime.sc_fences.join(self->clock);
    runtime.sc_all.join(runtime.sc_fences);
  }
  tick(self);
  trace(Op::fence, {.value = order});
}

}  // namespace
}  // namespace explorer

using namespace explorer;
using a8 = std::uint8_t;
using a16 = std::uint16_t;
using a32 = std::uint32_t;
using a64 = std::uint64_t;
__extension__ using a128 = unsigned __int128;

#define EXPLORER_RMW(BITS, NAME, EXPRESSION)                                                    \
  EXPLORER_EXPORT a##BITS __tsan_atomic##BITS##_##NAME(volatile a##BITS* a, a##BITS v, int o) { \
    return read_modify_write(a, o, EXPLORER_CALLER, [=]([[maybe_unused]] a##BITS old) {         \
      return static_cast<a##BITS>(EXPRESSION);                                                  \
    });                                                                                         \
  }

#define EXPLORER_ATOMICS(BITS)                                                                     \
  EXPLORER_EXPORT a##BITS __tsan_atomic##BITS##_load(const volatile a##BITS* a, int o) {           \
    return load(a, o, EXPLORER_CALLER);                                                            \
  }                                                                                                \
  EXPLORER_EXPORT void __tsan_atomic##BITS##_store(volatile a##BITS* a, a##BITS v, int o) {        \
    store(a, v, o, EXPLORER_CALLER);                                                               \
  }                                                                                                \
  EXPLORER_RMW(BITS, exchange, v)                                                                  \
  EXPLORER_RMW(BITS, fetch_add, old + v)                                                           \
  EXPLORER_RMW(BITS, fetch_sub, old - v)                                                           \
  EXPLORER_RMW(BITS, fetch_and, old& v)                                                            \
  EXPLORER_RMW(BITS, fetch_or, old | v)                                                            \
  EXPLORER_RMW(BITS, fetch_xor, old ^ v)                                                           \
  EXPLORER_RMW(BITS, fetch_nand, ~(old & v))                                                       \
  EXPLORER_EXPORT int __tsan_atomic##BITS##_compare_exchange_strong(                               \
      volatile a##BITS* a, a##BITS* e, a##BITS v, int o, int f) {                                  \
    return compare_exchange(a, e, v, o, f, false, EXPLORER_CALLER);                                \
  }                                                                                                \
  EXPLORER_EXPORT int __tsan_atomic##BITS##_compare_exchange_weak(volatile a##BITS* a, a##BITS* e, \
                                                                  a##BITS v, int o, int f) {       \
    return compare_exchange(a, e, v, o, f, true, EXPLORER_CALLER);                                 \
  }                                                                                                \
  EXPLORER_EXPORT a##BITS __tsan_atomic##BITS##_compare_exchange_val(                              \
      volatile a##BITS* a, a##BITS e, a##BITS v, int o, int f) {                                   \
    a##BITS found =                                                                                \
        e; /* Clang lowers the weak form to this too, so it can't fail for no reason */            \
    compare_exchange(a, &found, v, o, f, false, EXPLORER_CALLER);                                  \
    return found;                                                                                  \
  }

EXPLORER_ATOMICS(8)
EXPLORER_ATOMICS(16)
EXPLORER_ATOMICS(32)
EXPLORER_ATOMICS(64)
EXPLORER_ATOMICS(128)

EXPLORER_EXPORT void __tsan_atomic_thread_fence(int order) { fence(order); }
EXPLORER_EXPORT void __tsan_atomic_signal_fence(int) {}
