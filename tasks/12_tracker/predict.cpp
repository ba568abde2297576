// The scenes of predictions.toml. Each runs once, undisturbed, on the explorer's virtual clock, and
// says what it saw; nothing here is required of anybody's code.
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "future.hpp"
#include "testing/kit.hpp"
#include "testing/scene.hpp"
#include "tracker.hpp"

namespace {

using namespace std::chrono_literals;
using futures::Context;
using futures::Result;
using futures::Tracker;
using futures::with_timeout;
using workbook::forever;
using workbook::observed;

TEST(Explored, NeverAnswers) {
  const workbook::SceneClock clock;
  Tracker tracker;
  const auto future = tracker.go<int>(forever, [](const Context& context) -> Result<int> {
    if (context.sleep_for(10h)) return 7;
    return std::unexpected(*context.error());
  });
  clock.sleep_until(1min);
  observed("How many futures are reported after a minute?",
           std::to_string(tracker.report().size()));
  future.cancel();
  (void)future.await(forever);
  clock.sleep_until(2min);
  observed("And once the cancelled function has returned?",
           std::to_string(tracker.report().size()));
}

TEST(Explored, ImpatientAwaiter) {
  Tracker tracker;
  const auto tracked = tracker.make<int>();
  const auto soon = with_timeout(forever, 1s);
  (void)tracked.first.await(soon.context());
  observed("How many futures are reported after that?",
           tracker.report().empty() ? "0: nobody waits for it any more" : "1: it is still pending");
}

TEST(Explored, TrackerGone) {
  const workbook::SceneClock clock;
  auto tracker = std::make_unique<Tracker>();
  auto tracked = tracker->make<int>();
  tracker.reset();
  std::jthread settler([&clock, resolver = std::move(tracked.second)]() mutable {
    clock.sleep_until(1min);
    resolver.resolve(7);
  });
  const auto result = tracked.first.await(forever);
  observed("What does the awaiter get?", result ? "the value" : result.error().code.message());
}

}  // namespace
