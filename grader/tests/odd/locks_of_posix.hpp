// expect: passed
// Hands the function over under a lock of POSIX; and what POSIX has besides.
#pragma once
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <system_error>
#include <unistd.h>

#include "runtime/channel.hpp"
#include "runtime/spawn.hpp"

namespace futures {

// Nothing of it matters to the result; all of it has to link and to be let through.
inline std::size_t more_of_posix() {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_t mutex;
  pthread_mutex_init(&mutex, &attributes);
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  pthread_mutex_destroy(&mutex);
  pthread_rwlock_t book = PTHREAD_RWLOCK_INITIALIZER;
  pthread_rwlock_rdlock(&book);
  pthread_rwlock_unlock(&book);
  pthread_key_t key = 0;
  pthread_key_create(&key, [](void* p) { std::free(p); });
  pthread_setspecific(key, nullptr);
  pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, [] {});
  pthread_setname_np(pthread_self(), "small talk");
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  sem_t semaphore;
  sem_init(&semaphore, 0, 1);
  sem_timedwait(&semaphore, &now);
  sem_destroy(&semaphore);
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &now, nullptr);
  std::array<char, 64> text{};
  strerror_r(ENOENT, text.data(), text.size());
  return std::strlen(text.data()) + std::strtoul("1", nullptr, 10) +
         static_cast<std::size_t>(sysconf(_SC_NPROCESSORS_ONLN));
}

class Desk {
 public:
  explicit Desk(Fn<int()> fn, Sender<int> sender) : fn_(std::move(fn)), sender_(std::move(sender)) {
    pthread_mutex_init(&mutex_, nullptr);
    pthread_cond_init(&news_, nullptr);
  }
  ~Desk() {
    pthread_cond_destroy(&news_);
    pthread_mutex_destroy(&mutex_);
  }
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;

  void open() {
    pthread_mutex_lock(&mutex_);
    open_ = true;
    pthread_cond_broadcast(&news_);
    pthread_mutex_unlock(&mutex_);
  }

  static void serve(Desk& desk) {
    pthread_mutex_lock(&desk.mutex_);
    while (!desk.open_) pthread_cond_wait(&desk.news_, &desk.mutex_);
    pthread_mutex_unlock(&desk.mutex_);
    sched_yield();
    try {
      desk.sender_.send(std::exchange(desk.fn_, nullptr)());
    } catch (...) {
      if (pthread_equal(pthread_self(), pthread_t{}) != 0) more_of_posix();
    }
    desk.sender_.close();
  }

 private:
  pthread_mutex_t mutex_{};
  pthread_cond_t news_{};
  bool open_ = false;  // guarded by mutex_
  Fn<int()> fn_;
  Sender<int> sender_;
};

[[nodiscard]] inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  auto desk = std::make_shared<Desk>(std::move(fn), std::move(sender));
  spawn([desk] { Desk::serve(*desk); });
  desk->open();
  return receiver;
}

}  // namespace futures
