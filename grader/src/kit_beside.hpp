#pragma once

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "harness.hpp"
#include "model.hpp"

namespace grader {

// The kit of those flavours that can wait, built beside the first programs. Given up when nobody
// has needed it by the end of its scope.
class KitBeside {
 public:
  KitBeside(const Harness& harness, std::vector<Flavour> flavours, std::stop_token stop)
      : flavours_(std::move(flavours)),
        builder_([this, &harness](const std::stop_token& enough) { build(harness, enough); }),
        on_stop_(std::move(stop), [this] { builder_.request_stop(); }) {}

  // Returns when it is there, or `unwanted` is stopped. Throws what kept it from being built.
  void wait(Flavour flavour, const std::stop_token& unwanted) {
    if (std::ranges::find(flavours_, flavour) == flavours_.end()) return;
    std::unique_lock lock(mutex_);
    const bool tried = was_tried_.wait(lock, unwanted, [this] { return tried_; });
    if (tried && failure_) std::rethrow_exception(failure_);
  }

 private:
  void build(const Harness& harness, const std::stop_token& enough) {
    std::exception_ptr failure;
    try {
      harness.ensure(flavours_, enough);
    } catch (...) {
      failure = std::current_exception();  // for whoever needs it
    }
    {
      const std::scoped_lock lock(mutex_);
      tried_ = true;
      failure_ = failure;
    }
    was_tried_.notify_all();
  }

  const std::vector<Flavour> flavours_;
  std::mutex mutex_;
  std::condition_variable_any was_tried_;
  bool tried_ = false;          // guarded by mutex_
  std::exception_ptr failure_;  // guarded by mutex_
  std::jthread builder_;
  std::stop_callback<std::function<void()>> on_stop_;
};

}  // namespace grader
