// pthread_create, join, detach and the end of a thread.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "failure.hpp"
#include "schedule.hpp"
#include "scheduler.hpp"
#include "stacks.hpp"
#include "strategy.hpp"
#include "trace.hpp"

namespace explorer {
namespace {

pthread_key_t last_key;
bool have_last_key;

// The destructors of thread_local variables and of the program's own keys still belong to the
// thread: this one asks to be called again until it comes last.
void at_thread_end(void* data) {
  auto* thread = static_cast<Thread*>(data);
  constexpr int rounds = 3;  // of PTHREAD_DESTRUCTOR_ITERATIONS = 4
  if (++thread->destructor_rounds < rounds) {
    pthread_setspecific(last_key, data);
    return;
  }
  if (active()) {
    trace(Op::exit);
    finish_thread(*thread);
  }
  self = nullptr;
}

void* thread_main(void* data) {
  auto* thread = static_cast<Thread*>(data);
  wait_for_first_turn(*thread);
  pthread_setspecific(last_key, data);
  use_signal_stack(thread->id);
  self = thread;
  trace(Op::start);
  thread->result = thread->function(thread->argument);
  return thread->result;
}

Thread* find_thread(pthread_t handle) {
  for (int i = runtime.thread_count; i-- > 0;)
    if (threads[i].has_handle && pthread_equal(threads[i].handle, handle)) return &threads[i];
  return nullptr;
}

void start_really(Thread& thread) {
  Outside outside;
  StackSpan stack = stack_for(thread.id);
  thread.stack_low = address_of(stack.low);
  thread.stack_high = thread.stack_low + stack.size;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstack(&attributes, stack.low, stack.size);
  static decltype(&::pthread_create) real;
  if (!real) real = reinterpret_cast<decltype(&::pthread_create)>(find_real("pthread_create"));
  int error = real(&thread.handle, &attributes, thread_main, &thread);
  pthread_attr_destroy(&attributes);
  if (error) cannot_explore("the system gives no more threads (error %d)", error);
  thread.has_handle = thread.needs_real_join = true;
}

}  // namespace

void prepare_threads() {
  if (have_last_key) return;
  pthread_key_create(&last_key, at_thread_end);
  have_last_key = true;
}

Thread& add_thread() {
  int id = runtime.thread_count;
  Thread& thread = threads[id];
  fill_bytes(&thread, 0, sizeof thread);
  thread.id = id;
  thread.state = ThreadState::runnable;
  thread.op = Op::start;
  thread.clock.at[id] = 1;
  thread.priority = new_priority();
  ++runtime.thread_count;
  ++runtime.alive;
  return thread;
}

void join_really() {
  for (int i = 1; i < runtime.thread_count; ++i) {
    Thread& thread = threads[i];
    if (!thread.needs_real_join) continue;
    static decltype(&::pthread_join) real;
    if (!real) real = reinterpret_cast<decltype(&::pthread_join)>(find_real("pthread_join"));
    real(thread.handle, nullptr);
    thread.needs_real_join = thread.has_handle = false;
  }
}

}  // namespace explorer

using namespace explorer;

EXPLORER_EXPORT int pthread_create(pthread_t* handle, const pthread_attr_t* attributes,
                                   void* (*function)(void*), void* argument) noexcept {
  if (!active()) return EXPLORER_REAL(pthread_create)(handle, attributes, function, argument);
  if (runtime.thread_count >= max_threads)
    cannot_explore("it starts more than %d threads", max_threads - 1);
  Thread& parent = *self;
  Thread& child = add_thread();
  child.function = function;
  child.argument = argument;
  child.clock.join(parent.clock);
  child.view.join(parent.view);
  tick(&parent);
  if (attributes) {
    int state = PTHREAD_CREATE_JOINABLE;
    pthread_attr_getdetachstate(attributes, &state);
    child.detached = state == PTHREAD_CREATE_DETACHED;
  }
  start_really(child);
  *handle = child.handle;
  note_progress();
  trace(Op::create, {.other = child.id});
  return 0;
}

EXPLORER_EXPORT int pthread_join(pthread_t handle, void** result) {
  if (!active()) return EXPLORER_REAL(pthread_join)(handle, result);
  Thread* thread = find_thread(handle);
  if (!thread) cannot_explore("it joins a thread that was started outside of the test");
  if (thread == self) return EDEADLK;
  if (thread->detached || thread->joined)
    fail(FailureKind::misuse, "it joins thread %d, which was %s already", thread->id,
         thread->joined ? "joined" : "detached");
  self->op = Op::join;
  self->op_object = nullptr;
  if (thread->state != ThreadState::finished) {
    trace(Op::join, {.other = thread->id, .flags = flag_slept});
    block(WaitFor::join, thread);
  }
  thread->joined = true;
  self->clock.join(thread->clock);
  self->view.join(thread->view);
  trace(Op::join, {.other = thread->id});
  if (result) *result = thread->result;
  return 0;
}

EXPLORER_EXPORT int pthread_detach(pthread_t handle) noexcept {
  if (!active()) return EXPLORER_REAL(pthread_detach)(handle);
  if (Thread* thread = find_thread(handle)) thread->detached = true;
  return 0;
}

EXPLORER_EXPORT pid_t fork() noexcept {
  if (active()) cannot_explore("it forks a process");
  return EXPLORER_REAL(fork)();
}
