// What the parts of task 13's suite share.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "deadline_future.hpp"
#include "testing/kit.hpp"

namespace deadline_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them
using namespace std::chrono_literals;
using workbook::ended;
using workbook::forever;
using workbook::show;

inline constexpr bool explored = workbook::flavour() == workbook::Flavour::explored;

// How far away a deadline is that a test waits for. The explorer's clock may run ahead of working
// threads by up to a tenth of a second, as on a machine that stalls.
inline constexpr Clock::duration soon = explored ? 300ms : 20ms;

// What fn saw. Shared with fn, which may outlive the body of a test.
struct Seen {
  workbook::Gate begun;
  std::optional<Context> context;      // fn's, there when it has begun
  std::optional<CancelSource> rescue;  // ends fn's sleep, but not its context
  workbook::Gate ended;                // the end of fn's sleep; the rest is there then
  std::optional<Error> why;            // its context has ended, if it has
  Clock::time_point when;

  // Waits for the end of fn's context, and says what it was.
  std::string ended_by() {
    if (!ended.wait_for()) {
      // Or it would be asleep for the rest of the hour, and make the verdict wait for it.
      begun.wait();
      rescue->cancel();
      return "nothing, fn is still at work";
    }
    return why ? why->code.message() : "nothing, fn has slept for an hour";
  }

  bool context_has_ended() {
    begun.wait();
    return context->done();
  }
};

// Starts somebody who sleeps until the context ends: returns its error then, or 7 after an hour.
inline DeadlineFuture<int> start_sleeper(std::shared_ptr<Seen> seen) {
  return go_with_deadline<int>([seen = std::move(seen)](const Context& ctx) -> Result<int> {
    seen->context = ctx;
    seen->rescue = with_cancel(ctx);
    const Context bed = seen->rescue->context();
    seen->begun.open();
    bed.sleep_for(1h);
    seen->why = ctx.error();
    seen->when = Clock::now();
    const auto why = seen->why;
    seen->ended.open();
    if (why) return std::unexpected(*why);
    return 7;
  });
}

struct Sleeper {
  std::shared_ptr<Seen> seen = std::make_shared<Seen>();
  DeadlineFuture<int> future = start_sleeper(seen);
};

// Somebody who does not care about their context: works until the gate opens, and returns 7.
struct Deaf {
  Deaf() = default;
  Deaf(const Deaf&) = delete;
  Deaf& operator=(const Deaf&) = delete;
  ~Deaf() { may_end->open(); }  // before the members go: the future may wait for fn

  std::shared_ptr<workbook::Gate> may_end = std::make_shared<workbook::Gate>();
  std::shared_ptr<Seen> seen = std::make_shared<Seen>();
  DeadlineFuture<int> future =
      go_with_deadline<int>([may_end = may_end, seen = seen](const Context& ctx) -> Result<int> {
        seen->context = ctx;
        seen->begun.open();
        may_end->wait();
        return 7;
      });
};

// Somebody who awaits on a thread of their own, with a handle of their own.
class Awaiter {
 public:
  Awaiter(const DeadlineFuture<int>& future, CancelSource source)
      : source_(std::move(source)), thread_([this, handle = future]() mutable {
          result_ = show(handle.await(source_.context()));
          returned_.open();
        }) {}
  Awaiter(const Awaiter&) = delete;
  Awaiter& operator=(const Awaiter&) = delete;
  ~Awaiter() { source_.cancel(); }

  // Waits until await has returned by itself; says what.
  std::string result() {
    if (!returned_.wait_for()) return "nothing, await has not returned";
    return result_;
  }

  // Cancels the awaiter's context; says what await returned.
  std::string leave() {
    source_.cancel();
    return result();
  }

 private:
  CancelSource source_;
  std::string result_;  // written before returned_ opens
  workbook::Gate returned_;
  std::jthread thread_;
};

// Whether the future has this deadline, now or as soon as somebody's await has got that far.
inline bool comes_to(const DeadlineFuture<int>& future, Clock::time_point deadline) {
  return workbook::eventually([&] { return future.deadline() == deadline; });
}

// "1.000000 h from the start of the test", or "none".
inline std::string say(std::optional<Clock::time_point> deadline, Clock::time_point start) {
  if (!deadline) return "none";
  const std::chrono::duration<double, std::ratio<3600>> hours = *deadline - start;
  return std::to_string(hours.count()) + " h from the start of the test";
}

// Awaits with a deadline, and leaves when the future has it.
inline void tighten(const DeadlineFuture<int>& future, Clock::time_point deadline) {
  Awaiter awaiter(future, with_deadline(forever, deadline));
  ASSERT_TRUE(comes_to(future, deadline))
      << "somebody awaits with an earlier deadline than anybody before, and deadline() ignores it";
  EXPECT_EQ(awaiter.leave(), "error cancelled");
}

// Looks whether anything in this process still waits for a point in time: in the runtime's timer,
// or on a thread of somebody's own. Make one when nothing is under way.
class Census {
 public:
  bool comes_back_to_it() const {
    return workbook::eventually([this] {
      if (detail::Timer::instance().pending() > 0) return false;
      return explored || workbook::live_threads() <= threads_;
    });
  }

  static std::string now() {
    return std::to_string(detail::Timer::instance().pending()) + " entries are in the timer, and " +
           std::to_string(workbook::live_threads()) + " threads are alive";
  }

 private:
  std::size_t threads_ = explored ? 0 : workbook::live_threads();
};

}  // namespace deadline_suite
