// Atomics, and what a load of one may return.
//
// The stores to an atomic are kept in modification order, which is the order they were executed
// in; read-modify-writes always see the latest. A plain load may return an older store as long as
//  - neither a later store, nor a load that saw a later one, happens before it (coherence), and
//  - sequential consistency does not forbid it: SC operations on one object see each other in the
//    order of execution (History::sc_floor); SC fences and operations order across objects
//    (runtime.sc_all, sc_fences: C++20 [atomics.order] 4.2-4.4).
// That is a subset of what the standard allows, never more: a failure found this way is real.
#pragma once

#include "objects.hpp"

namespace explorer {

enum Order { relaxed, consume, acquire_order, release_order, acq_rel, seq_cst };

inline Order order_of(int code) { return static_cast<Order>(code & 0xff); }
inline bool acquires(Order o) {
  return o == consume || o == acquire_order || o == acq_rel || o == seq_cst;
}
inline bool releases(Order o) { return o == release_order || o == acq_rel || o == seq_cst; }

// The history starts, or starts again, with what is in memory, if a plain write put it there.
void synchronise_history(Object& object, std::uint64_t in_memory);

// A store was made / the calling thread saw that store.
void push_store(Object& object, std::uint64_t value, const VectorClock& carried, Order order);
void see_store(StoreRecord& store);

// The oldest store that a load by the calling thread may return.
std::uint32_t oldest_readable(Object& object, Order order);

// The calling thread has made a sequentially consistent operation.
void pass_sc_operation();

}  // namespace explorer
