// The scenes of predictions.toml. Each runs once, undisturbed, on the explorer's virtual clock, and
// says what it saw; nothing here is required of anybody's code.
#include <chrono>
#include <optional>
#include <thread>

#include "first_future.hpp"
#include "testing/kit.hpp"
#include "testing/scene.hpp"

namespace {

using namespace std::chrono_literals;
using futures::async;
using workbook::answer_for;
using workbook::observed;

TEST(Explored, NobodyReceives) {
  const workbook::SceneClock clock;
  workbook::Footprint producer;
  async([here = producer.presence()] {
    std::this_thread::sleep_for(10s);
    return 7;
  });
  clock.sleep_until(1s);
  const bool early = producer.gone();
  clock.sleep_until(11s);
  observed("When does the producer end?", early             ? "when the receiver is dropped"
                                          : producer.gone() ? "when the function has returned"
                                                            : "never");
}

TEST(Explored, ImpatientReceiver) {
  const workbook::SceneClock clock;
  const auto future = async([] {
    std::this_thread::sleep_for(10s);
    return 7;
  });
  future.receive_for(1s);
  observed("When does receive_for return?",
           answer_for(clock.elapsed(), {{1s, "after one second"}}, "after ten seconds"));
  clock.sleep_until(70s);
  observed("What does the second receive get?",
           future.receive() == 7 ? "the value" : "nothing: the value is lost");
}

TEST(Explored, ReceivedTwice) {
  const auto future = async([] { return 7; });
  future.receive();
  observed("What does the second receive do?",
           future.receive() ? "it returns the value again" : "it returns nullopt");
}

TEST(Explored, Thrower) {
  const auto future = async([]() -> int {
    std::this_thread::sleep_for(1s);
    throw 42;
  });
  observed("What does the waiting receiver get?",
           future.receive() ? "a default value, after a second" : "nullopt, after a second");
}

}  // namespace
