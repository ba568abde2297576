// The scenes of predictions.toml. Each runs once, undisturbed, on the explorer's virtual clock, and
// says what it saw; nothing here is required of anybody's code.
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "future.hpp"
#include "pipeline.hpp"
#include "testing/kit.hpp"
#include "testing/scene.hpp"

namespace {

using namespace std::chrono_literals;
using futures::Context;
using futures::go;
using futures::make_future;
using futures::map;
using futures::Result;
using workbook::answer_for;
using workbook::forever;
using workbook::observed;

TEST(Explored, NobodyKeepsTheOutput) {
  auto [head, resolver] = make_future<int>();
  bool ran = false;
  map<int>(forever, head, [&](int value) -> Result<int> {
    ran = true;
    return value;
  });
  resolver.resolve(7);
  observed("Does the function still run?", ran ? "yes" : "no");
}

TEST(Explored, DeafProducer) {
  const workbook::SceneClock clock;
  workbook::Footprint producer;
  workbook::Footprint function;
  auto head = go<int>(forever, [here = producer.presence()](const Context&) -> Result<int> {
    std::this_thread::sleep_for(1h);
    return 7;
  });
  auto source = futures::with_cancel(forever);
  auto out = map<int>(source.context(), std::move(head),
                      [here = function.presence()](int value) -> Result<int> { return value; });
  std::jthread canceller([&] {
    clock.sleep_until(1s);
    source.cancel();
  });
  (void)out.await(forever);
  observed("When is the output settled?",
           answer_for(clock.elapsed(), {{1s, "after one second"}}, "after an hour"));
  clock.sleep_until(30min);
  observed("When are the captures of the function destroyed?",
           function.gone() ? "after one second" : "after an hour");
  observed("When does the producer end?", producer.gone() ? "after one second" : "after an hour");
  clock.sleep_until(61min);
}

std::string who(std::thread::id ran, std::thread::id mapped, std::thread::id settled) {
  return ran == mapped    ? "the thread that called map"
         : ran == settled ? "the thread that settled"
                          : "a thread of its own";
}

TEST(Explored, WhichThread) {
  std::thread::id ran;
  const auto note = [&](int value) -> Result<int> {
    ran = std::this_thread::get_id();
    return value;
  };
  std::thread::id settler;
  {
    auto [head, resolver] = make_future<int>();
    std::thread([&settler, writer = std::move(resolver)]() mutable {
      settler = std::this_thread::get_id();
      writer.resolve(7);
    }).join();
    (void)map<int>(forever, head, note).await(forever);
    observed("Who calls the function on the settled future?",
             who(ran, std::this_thread::get_id(), settler));
  }
  auto [head, resolver] = make_future<int>();
  const auto out = map<int>(forever, head, note);
  std::thread([&settler, writer = std::move(resolver)]() mutable {
    settler = std::this_thread::get_id();
    writer.resolve(7);
  }).join();
  (void)out.await(forever);
  observed("Who calls the function on the pending future?",
           who(ran, std::this_thread::get_id(), settler));
}

}  // namespace
