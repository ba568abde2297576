// The scenes of predictions.toml. Each runs once, undisturbed, on the explorer's virtual clock, and
// says what it saw; nothing here is required of anybody's code.
#include <chrono>
#include <memory>
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
struct Seen {
  const workbook::SceneClock clock;
  std::chrono::steady_clock::duration ended{24h};
  std::string why = "nothing";
};

DeadlineFuture<int> an_hour_of_work(std::shared_ptr<Seen> seen) {
  return go_with_deadline<int>([seen = std::move(seen)](const Context& context) -> Result<int> {
    context.sleep_for(1h);
    seen->ended = seen->clock.elapsed();
    if (const auto error = context.error()) {
      seen->why = error->code.message();
      return std::unexpected(*error);
    }
    return 7;
  });
}

TEST(Explored, NobodyAwaits) {
  const auto seen = std::make_shared<Seen>();
  const auto future = an_hour_of_work(seen);
  seen->clock.sleep_until(2h);
  observed("When does the producer end?",
           answer_for(seen->ended, {{1s, "at once"}, {1h, "after an hour"}}));
}

TEST(Explored, LastHandleGone) {
  const auto seen = std::make_shared<Seen>();
  {
    const auto future = an_hour_of_work(seen);
    seen->clock.sleep_until(1s);
  }
  seen->clock.sleep_until(2h);
  observed("When does the producer end?",
           answer_for(seen->ended, {{1s, "after one second"}, {1h, "after an hour"}}));
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
  observed("When does the producer end?", answer_for(seen->ended, {{5s, "after five seconds"},
                                                                   {10s, "after ten seconds"},
                                                                   {1h, "after an hour"}}));
  observed("What does its context say?", seen->why);
  observed("When does the await with ten seconds return?",
           answer_for(took, {{5s, "after five seconds"}, {10s, "after ten seconds"}}));
}

}  // namespace
