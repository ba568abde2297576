// The scenes of predictions.toml. Each runs once, undisturbed, on the explorer's virtual clock, and
// says what it saw; nothing here is required of a promise.
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "promise.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"

namespace {

using namespace std::chrono_literals;
using futures::Context;
using futures::Promise;
using workbook::forever;
using workbook::observed;
using workbook::Tracked;

TEST(Explored, NobodySettles) {
  const Promise<int> promise;
  const auto soon = futures::with_timeout(forever, 1min);
  const auto begin = futures::Clock::now();
  const auto result = promise.await(soon.context());
  const auto took = futures::Clock::now() - begin;
  observed("When does the await return?", took < 1s     ? "at once"
                                          : took <= 61s ? "at the deadline"
                                                        : "long after the deadline");
  observed("What is the promise after that?", !promise.settled() ? "not settled"
                                              : result           ? "settled with a value"
                                                                 : "settled with an error");
}

TEST(Explored, AnHourLater) {
  auto source = futures::with_cancel(forever);
  auto promise = std::make_unique<Promise<int>>();
  std::jthread resolver([&p = *promise] { p.resolve(7); });
  EXPECT_TRUE(promise->await(source.context()));
  resolver.join();
  promise.reset();
  std::this_thread::sleep_for(1h);
  source.cancel();
  // A listener would have touched the promise just now, and the explorer ended the scene.
  observed("Who of the await still listens to the context?", "nobody");
}

TEST(Explored, LosersValues) {
  Promise<Tracked> promise;
  for (int i = 0; i < 3; ++i) promise.resolve(Tracked(i));
  observed("How many of the three values are still in memory when all three have returned?",
           std::to_string(Tracked::live()));
}

}  // namespace
