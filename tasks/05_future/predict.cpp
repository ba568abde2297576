// The scenes of predictions.toml. Each runs once, undisturbed, on the explorer's virtual clock, and
// says what it saw; nothing here is required of anybody's code.
#include <chrono>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "future.hpp"
#include "testing/kit.hpp"
#include "testing/scene.hpp"

namespace {

using namespace std::chrono_literals;
using futures::Context;
using futures::go;
using futures::make_future;
using futures::Resolver;
using futures::Result;
using futures::with_timeout;
using workbook::answer_for;
using workbook::forever;
using workbook::observed;

TEST(Explored, AllFuturesDropped) {
  const workbook::SceneClock clock;
  workbook::Footprint producer;
  go<int>(forever, [here = producer.presence()](const Context& context) -> Result<int> {
    context.sleep_for(10s);
    return 7;
  });
  clock.sleep_until(1s);
  const bool early = producer.gone();
  clock.sleep_until(11s);
  observed("When does the producer end?", early             ? "at once: it is cancelled"
                                          : producer.gone() ? "when the function has returned"
                                                            : "never");
}

TEST(Explored, ImpatientAwaiter) {
  const workbook::SceneClock clock;
  workbook::Footprint producer;
  const auto future =
      go<int>(forever, [here = producer.presence()](const Context& context) -> Result<int> {
        context.sleep_for(10s);
        return 7;
      });
  const auto soon = with_timeout(forever, 1s);
  (void)future.await(soon.context());
  observed("When does the first await return?",
           answer_for(clock.elapsed(), {{1s, "after one second"}}, "after ten seconds"));
  clock.sleep_until(5s);
  observed("When does the producer end?",
           producer.gone() ? "with the await, after one second" : "when the function has returned");
  clock.sleep_until(1h);
  observed("What does the second await get?",
           future.await(forever) == 7 ? "the value" : "deadline exceeded, like the first");
}

TEST(Explored, CallbackHoldsItsFuture) {
  {
    auto [future, resolver] = make_future<workbook::Tracked>();
    future.on_settled([held = future](const Result<workbook::Tracked>&) {});
    resolver.resolve(workbook::Tracked(7));
  }
  observed("What is left of the value?",
           workbook::Tracked::live() == 0 ? "nothing" : "the value, held by its own callback");
}

TEST(Explored, ForgottenResolver) {
  auto [future, resolver] = make_future<int>();
  std::vector<Resolver<int>> list;
  list.push_back(std::move(resolver));
  for (const auto* question :
       {"What does the first await get?", "What does the second await get?"}) {
    const auto soon = with_timeout(forever, 1min);
    const auto result = future.await(soon.context());
    observed(question, result ? "a value" : result.error().code.message());
    list.clear();
  }
}

}  // namespace
