// What the runtime knows of each mutex, condition variable, atomic, ... keyed by its address.
#pragma once

#include "state.hpp"

namespace explorer {

inline constexpr int history_length = 6;

// One store to an atomic, kept while a load may still return it.
struct StoreRecord {
  std::uint64_t value;
  VectorClock release;              // what an acquiring load of it learns
  std::uint32_t seen[max_threads];  // when each thread first wrote or read it; 0: never
};

struct History {
  std::uint32_t count;     // stores so far; the latest is count - 1
  std::uint32_t sc_floor;  // no sequentially consistent load may look behind this one
  std::uint8_t stale_run[max_threads];
  StoreRecord ring[history_length];

  StoreRecord& at(std::uint32_t index) { return ring[index % history_length]; }
};

struct Object {
  Address address;
  std::uint32_t generation;
  std::uint16_t id;
  ObjectKind kind;
  bool shared;                 // more than one thread uses it: its operations are scheduling points
  std::int8_t user;            // the first thread that used it
  int owner;                   // thread that holds it, -1: nobody
  int count;                   // recursion of a mutex, value of a semaphore, state of a once
  int readers;                 // of an rwlock
  std::uint32_t readers_held;  // which threads
  VectorClock release;         // what the next owner or reader learns
  VectorClock reader_release;  // what readers leave for the next writer
  History history;
};

// Finds or adds the object at `address`. The reference stays good for the schedule.
Object& object_at(const void* address, ObjectKind kind);

// Finds it, or null.
Object* find_object(const void* address);

// The memory is being written, freed or constructed anew: whatever was there is no more.
void forget_object(Object& object);

// Called for every visible operation: learns which objects more than one thread uses.
void note_use(Object& object, int thread);

// Makes what was learned count, from the next schedule on. False: there was nothing new.
bool adopt_discovered_objects();

// The calling thread learns what the object's past releases carry / leaves what it knows.
void acquire(const Object& object);
void release(Object& object);

// An object that stands for the order inside code the runtime does not see.
void order_through(const void* address);

void reset_objects();
void report_objects();
std::uint16_t object_id(const void* address);

}  // namespace explorer
