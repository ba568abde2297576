// The mutex model, as far as condition variables need it.
#pragma once

#include <pthread.h>

#include "state.hpp"

namespace explorer {

// Takes the lock, waiting for it; no scheduling point before the first try.
// 0, ETIMEDOUT or EDEADLK.
int take_mutex(pthread_mutex_t* mutex, Nanoseconds deadline);

// Gives it up entirely, however often it was taken; returns that number less one.
int drop_mutex(pthread_mutex_t* mutex);
void restore_recursion(pthread_mutex_t* mutex, int count);

bool holds_mutex(pthread_mutex_t* mutex);

}  // namespace explorer
