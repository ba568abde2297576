// Wrong: a list that is never emptied keeps the sender of every channel; bites in a program that
// runs for long: its memory grows, and no leak detector sees it.
#pragma once

#include <mutex>
#include <utility>
#include <vector>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// All channels of async(), so that a program which is about to end can wake whoever still waits.
class OpenFutures {
 public:
  static OpenFutures& instance() {
    static auto* all = new OpenFutures;  // never destroyed: threads may outlive main()
    return *all;
  }

  void add(const Sender<int>& sender) {
    const std::lock_guard lock(mutex_);
    senders_.push_back(sender);
  }

  void close_all() {
    const std::lock_guard lock(mutex_);
    for (const auto& sender : senders_) sender.close();
    senders_.clear();
  }

 private:
  std::mutex mutex_;
  std::vector<Sender<int>> senders_;  // guarded by mutex_
};

}  // namespace detail

inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  detail::OpenFutures::instance().add(sender);
  spawn([sender, fn = std::move(fn)]() mutable {
    try {
      sender.send(fn());
    } catch (...) {
      // The closed channel says it.
    }
    sender.close();
  });
  return receiver;
}

}  // namespace futures
