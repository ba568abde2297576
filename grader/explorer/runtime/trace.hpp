// Records what happens, step by step, for the story. Only while a failure is being replayed.
#pragma once

#include "state.hpp"

namespace explorer {

inline bool tracing() { return __builtin_expect(shared->plan.trace, 0); }

struct EventDetail {
  const void* object = nullptr;
  std::int64_t value = 0;
  int other = -1;
  int size = 0;
  int flags = 0;
};

void record_event(Op op, const EventDetail& detail);

inline void trace(Op op, const EventDetail& detail = {}) {
  if (tracing()) record_event(op, detail);
}

}  // namespace explorer
