// expect: passed
// Threads of the C library, a thread-local buffer, a static local, getenv and a log on stderr.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <pthread.h>
#include <semaphore.h>

#include "runtime/channel.hpp"

namespace futures {
namespace raw {
struct Job {
  Fn<int()> fn;
  Sender<int> sender;
};
inline thread_local char scratch[64];
inline void* run(void* argument) {
  const std::unique_ptr<Job> job(static_cast<Job*>(argument));
  std::snprintf(scratch, sizeof scratch, "job %p", argument);
  static const bool loud = std::getenv("FUTURES_LOUD") != nullptr;
  if (loud) std::fputs(scratch, stderr);
  try {
    job->sender.send(job->fn());
  } catch (...) {
  }
  job->sender.close();
  return nullptr;
}
}  // namespace raw

inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  auto* job = new raw::Job{std::move(fn), sender};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, 256 * 1024);
  pthread_t thread;
  const int error = pthread_create(&thread, &attributes, raw::run, job);
  pthread_attr_destroy(&attributes);
  if (error != 0) {
    delete job;
    throw std::system_error(error, std::generic_category());
  }
  return receiver;
}
}  // namespace futures
