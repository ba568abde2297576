#include "history.hpp"

namespace explorer {
namespace {

bool covered(const StoreRecord& store, bool sc_load) {
  for (int i = 0; i < runtime.thread_count; ++i) {
    std::uint32_t first = store.seen[i];
    if (!first) continue;
    if (self->clock.covers(i, first) || self->view.covers(i, first)) return true;
    if (sc_load && runtime.sc_fences.covers(i, first)) return true;
  }
  return false;
}

}  // namespace

void see_store(StoreRecord& store) {
  std::uint32_t& first = store.seen[self->id];
  if (!first) first = self->clock.at[self->id];
}

void push_store(Object& object, std::uint64_t value, const VectorClock& carried, Order order) {
  History& history = object.history;
  StoreRecord& store = history.at(history.count++);
  store.value = value;
  store.release.assign(carried);
  fill_bytes(store.seen, 0, sizeof store.seen);
  see_store(store);
  if (order == seq_cst) history.sc_floor = history.count - 1;
}

void synchronise_history(Object& object, std::uint64_t value) {
  History& history = object.history;
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

void pass_sc_operation() {
  runtime.sc_all.join(self->clock);
  runtime.sc_all.join(self->view);
  tick(self);
}

std::uint32_t oldest_readable(Object& object, Order order) {
  History& history = object.history;
  std::uint32_t latest = history.count - 1;
  std::uint32_t oldest = history.count > history_length ? history.count - history_length : 0;
  if (order == seq_cst && history.sc_floor > oldest) oldest = history.sc_floor;
  for (std::uint32_t i = latest; i > oldest; --i)
    if (covered(history.at(i), order == seq_cst)) return i;
  return oldest;
}

}  // namespace explorer
