// The scenes of predictions.toml. Each runs once, undisturbed, on the explorer's virtual clock, and
// says what it saw; nothing here is required of anybody's code.
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "deadline_future.hpp"
#include "testing/kit.hpp"
#include "testing/scene.hpp"

namespace {

using namespace std::chrono_literals;
using futures::Context;
using futures::DeadlineFuture;
using futures::go_with_deadline;
using futures::Result;
using futures::with_timeout;
using workbook::answer_for;
using workbook::forever;
using workbook::observed;

// What a producer that takes an hour, and listens to its context, saw.
class Seen {
 public:
  void end(std::string why) {
    const std::lock_guard lock(mutex_);
    ended_ = clock.elapsed();
    why_ = std::move(why);
  }
  std::chrono::steady_clock::duration ended() const {
    const std::lock_guard lock(mutex_);
    return ended_;
  }
  std::string why() const {
    const std::lock_guard lock(mutex_);
    return why_;
  }

  const workbook::SceneClock clock;

 private:
  mutable std::mutex mutex_;
  std::chrono::steady_clock::duration ended_{24h};  // guarded by mutex_, as is why_
  std::string why_ = "nothing";
};

DeadlineFuture<int> an_hour_of_work(std::shared_ptr<Seen> seen) {
  return go_with_deadline<int>([seen = std::move(seen)](const Context& context) -> Result<int> {
    context.sleep_for(1h);
    const auto error = context.error();
    seen->end(error ? error->code.message() : "nothing");
    if (error) return std::unexpected(*error);
    return 7;
  });
}

TEST(Explored, NobodyAwaits) {
  const auto seen = std::make_shared<Seen>();
  const auto future = an_hour_of_work(seen);
  seen->clock.sleep_until(2h);
  observed("When does the producer end?",
           answer_for(seen->ended(), {{1s, "at once"}, {1h, "after an hour"}}));
}

TEST(Explored, LastHandleGone) {
  const auto seen = std::make_shared<Seen>();
  {
    const auto future = an_hour_of_work(seen);
    seen->clock.sleep_until(1s);
  }
  seen->clock.sleep_until(2h);
  observed("When does the producer end?",
           answer_for(seen->ended(), {{1s, "after one second"}, {1h, "after an hour"}}));
}

TEST(Explored, TwoAwaits) {
  const auto seen = std::make_shared<Seen>();
  auto future = an_hour_of_work(seen);
  std::jthread hasty([future]() mutable {
    const auto soon = with_timeout(forever, 5s);
    (void)future.await(soon.context());
  });
  const auto later = with_timeout(forever, 10s);
  (void)future.await(later.context());
  const auto took = seen->clock.elapsed();
  hasty.join();
  seen->clock.sleep_until(2h);
  observed("When does the producer end?", answer_for(seen->ended(), {{5s, "after five seconds"},
                                                                     {10s, "after ten seconds"},
                                                                     {1h, "after an hour"}}));
  observed("What does its context say?", seen->why());
  observed("When does the await with ten seconds return?",
           answer_for(took, {{5s, "after five seconds"}, {10s, "after ten seconds"}}));
}

}  // namespace
