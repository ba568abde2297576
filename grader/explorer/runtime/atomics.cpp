// The atomic operations that the instrumentation calls. What a load may return: see history.hpp.
#include "choice.hpp"
#include "history.hpp"
#include "scheduler.hpp"
#include "shadow.hpp"
#include "trace.hpp"

namespace explorer {
namespace {

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
    synchronise_history(object, bits_of(*address));
    History& history = object.history;
    std::uint32_t latest = history.count - 1, back = 0;
    std::uint8_t& run = history.stale_run[self->id];
    std::uint32_t span = latest ? latest - oldest_readable(object, order) : 0;
    if (span && run < longest_stale_run)
      back = static_cast<std::uint32_t>(
          choose(Choice::stale_read, static_cast<int>(span) + 1, runtime.rate_stale));
    run = static_cast<std::uint8_t>(back ? run + 1 : 0);
    StoreRecord& store = history.at(latest - back);
    see_store(store);
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
  synchronise_history(object, bits_of(*address));
  if (*address != value) note_progress();
  object.release.assign(carried_by(order));  // a plain store ends a release sequence
  *address = value;
  push_store(object, bits_of(value), object.release, order);
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
  push_store(object, bits_of(value), object.release, order);
  if (order == seq_cst)
    pass_sc_operation();
  else if (releases(order))
    tick(self);
}

void read_latest(Object& object, Order order) {
  History& history = object.history;
  see_store(history.at(history.count - 1));
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
  synchronise_history(object, bits_of(*address));
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
  synchronise_history(object, bits_of(*address));
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
