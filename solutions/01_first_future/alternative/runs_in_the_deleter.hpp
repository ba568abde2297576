// Right: the spawned function does nothing but arm the deleter of the job it owns. fn runs when the
// job is given back, in that deleter; a job that never reached a thread (spawn() threw) is not
// armed and goes unrun.
#pragma once

#include <memory>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

struct LastWill {
  Fn<int()> fn;
  Sender<int> heir;
};

struct Executor {
  bool armed = false;

  void operator()(LastWill* will) const noexcept {
    const std::unique_ptr<LastWill> paper(will);  // torn up last: the captures go behind the close
    if (!armed) return;
    try {
      paper->heir.send(paper->fn());
    } catch (...) {  // an int can't say what went wrong; the closed channel says that something did
    }
    paper->heir.close();
  }
};

}  // namespace detail

inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  std::unique_ptr<detail::LastWill, detail::Executor> will(
      new detail::LastWill{std::move(fn), std::move(sender)});
  spawn([will = std::move(will)]() mutable { will.get_deleter().armed = true; });
  return receiver;
}

}  // namespace futures
