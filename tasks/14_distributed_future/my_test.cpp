// Your own test of task 14. It earns the third point when it breaks a version that looks right:
// one of your own earlier ones, or one of the workbook's. It must never fail on a right one.
#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "distributed_future.hpp"
#include "runtime/context.hpp"
#include "runtime/redis.hpp"
#include "testing/kit.hpp"
#include "testing/redis_server.hpp"

namespace {

using futures::Context;
using futures::DistributedFuture;
using futures::Redis;
using futures::Result;
using namespace std::chrono_literals;

// One private server for all rounds; a key of its own for each.
const futures::RedisEndpoint& server() {
  static const workbook::RedisServer running;
  return running.endpoint();
}

std::string fresh_key() {
  static std::atomic<int> count{0};
  return "key-" + std::to_string(++count);
}

// An example to copy. It passes on a right version, and on most wrong ones as well: nothing ever
// fails, no lock ends too early, and nobody is in a hurry. What happens when you
//   - connect to the server as "another process" (Redis::connect) and take or delete the lock while
//     compute runs? Whose value should be in the cache then, and whose lock?
//   - let compute fail for one caller while another waits, with a poll_interval of ten minutes?
//   - cancel a caller's context inside its compute, and look at fut-lock:KEY afterwards?
//   - choose values that are empty, or hold a zero byte, or look like something else?
// Wait for what must happen with workbook::eventually(), never with a sleep.
TEST(MyTest, ManyCallersComputeOnce) {
  struct State {
    std::string key = fresh_key();
    std::atomic<int> runs{0};
    DistributedFuture future{server(),
                             {.lock_ttl = 10min, .value_ttl = 10min, .poll_interval = 10min}};
  };
  workbook::stress_on(
      2, workbook::rounds(10), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t) {
        const auto result = state->future.get(Context::background(), state->key,
                                              [&](const Context&) -> Result<std::string> {
                                                ++state->runs;
                                                return "value";
                                              });
        EXPECT_EQ(result, "value");
      },
      [](auto& state) { EXPECT_EQ(state->runs, 1); });
}

}  // namespace
