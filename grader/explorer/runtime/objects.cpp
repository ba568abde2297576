#include "objects.hpp"

#include "failure.hpp"
#include "heap.hpp"

namespace explorer {
namespace {

constexpr int table_size = 4096;
constexpr Address tombstone = 1;

Object* table;
Object* by_id[max_objects];
int object_count;

std::uint32_t slot_of(const void* address) {
  return static_cast<std::uint32_t>((address_of(address) >> 2) * 0x9e3779b97f4a7c15ull >> 40);
}

// Where `identity` is in the set, or the free slot where it belongs; null when the set is full.
Address* find_shared(Address identity) {
  std::uint32_t h = slot_of(reinterpret_cast<void*>(identity));
  for (int i = 0; i < shared_object_slots; ++i) {
    Address& entry =
        shared->shared_objects[(h + static_cast<std::uint32_t>(i)) % shared_object_slots];
    if (!entry || entry == identity) return &entry;
  }
  return nullptr;
}

bool known_as_shared(Address address) {
  Address* entry = find_shared(identity_of(address));
  return !entry || *entry;
}

void discover(Address address) {
  Address identity = identity_of(address);
  for (int i = 0; i < shared->discovered_count; ++i)
    if (shared->discovered[i] == identity) return;
  if (shared->discovered_count < max_discovered)
    shared->discovered[shared->discovered_count++] = identity;
}

void initialise(Object& object, const void* address, ObjectKind kind) {
  fill_bytes(&object, 0, offsetof(Object, history) + offsetof(History, ring));
  object.address = address_of(address);
  object.generation = runtime.generation;
  object.kind = kind;
  object.owner = -1;
  object.user = -1;
  object.shared = known_as_shared(object.address);
  if (object_count + 1 < max_objects) {  // those after that stay without a name
    object.id = static_cast<std::uint16_t>(++object_count);
    by_id[object.id] = &object;
  }
}

}  // namespace

Object* find_object(const void* address) {
  if (!table) return nullptr;
  std::uint32_t h = slot_of(address);
  for (int i = 0; i < table_size; ++i) {
    Object& object = table[(h + static_cast<std::uint32_t>(i)) % table_size];
    if (object.generation != runtime.generation) return nullptr;
    if (object.address == address_of(address)) return &object;
  }
  return nullptr;
}

Object& object_at(const void* address, ObjectKind kind) {
  std::uint32_t h = slot_of(address);
  Object* free_slot = nullptr;
  for (int i = 0; i < table_size; ++i) {
    Object& object = table[(h + static_cast<std::uint32_t>(i)) % table_size];
    if (object.generation != runtime.generation) {
      if (!free_slot) free_slot = &object;
      break;
    }
    if (object.address == address_of(address)) {
      if (object.kind == ObjectKind::unknown) object.kind = kind;
      return object;
    }
    if (object.address == tombstone && !free_slot) free_slot = &object;
  }
  if (!free_slot)
    cannot_explore("the test uses more than %d mutexes, condition variables and atomics at a time",
                   table_size);
  initialise(*free_slot, address, kind);
  return *free_slot;
}

void forget_object(Object& object) {
  object.address = tombstone;
  object.owner = -1;  // a thread may still be on its way to it
}

void note_use(Object& object, int thread) {
  if (object.shared) return;
  if (object.user < 0) object.user = static_cast<std::int8_t>(thread);
  if (object.user != thread) discover(object.address);
}

bool adopt_discovered_objects() {
  bool any = shared->discovered_count > 0;
  for (int i = 0; i < shared->discovered_count; ++i)
    if (Address* entry = find_shared(shared->discovered[i])) *entry = shared->discovered[i];
  shared->discovered_count = 0;
  return any;
}

void acquire(const Object& object) { self->clock.join(object.release); }

void release(Object& object) {
  object.release.join(self->clock);
  tick(self);
}

void order_through(const void* address) {
  Object& object = object_at(address, ObjectKind::exception);
  release(object);
  acquire(object);
}

void reset_objects() {
  if (!table) table = static_cast<Object*>(map_memory(sizeof(Object) * table_size));
  object_count = 0;
}

std::uint16_t object_id(const void* address) {
  if (!address) return 0;
  Object* object = find_object(address);
  return object ? object->id : 0;
}

void report_objects() {
  shared->object_count = object_count + 1;
  for (int i = 1; i <= object_count; ++i) {
    const Object& object = *by_id[i];
    if (object.id != i) {  // gone, and its place taken
      shared->objects[i] = ObjectReport{0, ObjectKind::unknown, -1};
      continue;
    }
    shared->objects[i] =
        ObjectReport{object.address, object.kind, static_cast<std::int16_t>(object.owner)};
  }
}

}  // namespace explorer
