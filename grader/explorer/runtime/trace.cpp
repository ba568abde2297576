#include "trace.hpp"

#include <unwind.h>

#include "objects.hpp"

namespace explorer {
namespace {

struct Walk {
  Event& event;
  int skip;
};

_Unwind_Reason_Code visit(_Unwind_Context* context, void* data) {
  Walk& walk = *static_cast<Walk*>(data);
  Address pc = _Unwind_GetIP(context);
  if (!pc) return _URC_END_OF_STACK;
  if (walk.skip-- > 0) return _URC_NO_REASON;
  walk.event.stack[walk.event.depth++] = pc - 1;
  return walk.event.depth < max_stack_depth ? _URC_NO_REASON : _URC_END_OF_STACK;
}

}  // namespace

__attribute__((noinline)) void record_event(Op op, const EventDetail& detail) {
  if (shared->event_count >= max_events) return;
  Event& event = shared->events[shared->event_count];
  event.step = static_cast<std::uint32_t>(runtime.steps);
  event.thread = static_cast<std::uint8_t>(self->id);
  event.op = op;
  event.object = object_id(detail.object);
  event.address = address_of(detail.object);
  event.value = detail.value;
  event.time = runtime.now;
  event.size = static_cast<std::uint8_t>(detail.size);
  event.flags = static_cast<std::uint8_t>(detail.flags);
  event.other = static_cast<std::uint8_t>(detail.other);
  event.depth = 0;
  Outside outside;
  Walk walk{event, 1};
  _Unwind_Backtrace(visit, &walk);
  ++shared->event_count;
}

}  // namespace explorer
