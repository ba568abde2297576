// What another process may do to a holder and to a waiter, done by hand on a connection of our own.
#include <atomic>
#include <chrono>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "distributed_future.hpp"
#include "runtime/context.hpp"
#include "runtime/redis.hpp"
#include "testing/kit.hpp"
#include "testing/redis_server.hpp"

namespace {

using futures::Context;
using futures::DistributedFuture;
using futures::Errc;
using futures::Error;
using futures::Redis;
using futures::Result;
using namespace std::chrono_literals;
using namespace std::string_literals;

const Context kForever = Context::background();

const futures::RedisEndpoint& server() {
  static const workbook::RedisServer running;
  return running.endpoint();
}

// A key of its own for each round, and what another process sees and does there.
struct Place {
  std::string key = [] {
    static std::atomic<int> count{0};
    return "key-" + std::to_string(++count);
  }();
  Redis redis = *Redis::connect(kForever, server());
  std::atomic<int> runs{0};
  DistributedFuture future{server(),
                           {.lock_ttl = 10min, .value_ttl = 10min, .poll_interval = 10min}};

  void tell(std::initializer_list<std::string_view> words) {
    EXPECT_TRUE(redis.command(kForever, words));
  }
  std::optional<std::string> read(const std::string& name) {
    auto reply = redis.command(kForever, {"GET", name});
    if (!reply || reply->is_nil()) return std::nullopt;
    return reply->text;
  }
  std::optional<std::string> lock() { return read("fut-lock:" + key); }
  std::optional<std::string> value() { return read("fut-cache:" + key); }
};

auto make_place() { return std::make_unique<Place>(); }

// Nobody of ours needs this long. A version that makes us wait has failed.
futures::CancelSource patience() { return futures::with_timeout(kForever, workbook::patience); }

TEST(MyTest, ALateHolderChangesNothing) {
  workbook::stress_on(
      1, workbook::rounds(8), make_place,
      [](auto& place, std::size_t) {
        const auto limit = patience();
        (void)place->future.get(limit.context(), place->key,
                                [&](const Context&) -> Result<std::string> {
                                  // Our lock ends, and another process is done before us.
                                  place->tell({"SET", "fut-lock:" + place->key, "theirs"});
                                  place->tell({"SET", "fut-cache:" + place->key, "theirs"});
                                  return "ours";
                                });
      },
      [](auto& place) {
        EXPECT_EQ(place->value(), "theirs") << "a late value was stored over its successor's";
        EXPECT_EQ(place->lock(), "theirs") << "somebody else's lock was deleted";
      });
}

TEST(MyTest, EveryWayOutGivesTheLockBack) {
  workbook::stress_on(
      1, workbook::rounds(8), make_place,
      [](auto& place, std::size_t) {
        auto source = futures::with_cancel(kForever);
        const auto cancelled = place->future.get(
            source.context(), place->key, [&](const Context&) -> Result<std::string> {
              source.cancel();
              return std::unexpected(Error{Errc::cancelled, "as told"});
            });
        EXPECT_FALSE(cancelled);
        EXPECT_TRUE(workbook::eventually([&] { return !place->lock(); })) << "cancelled";
        try {
          const auto thrown = place->future.get(
              kForever, place->key, [](const Context&) -> Result<std::string> { throw 42; });
          EXPECT_FALSE(thrown);
        } catch (...) {
          ADD_FAILURE() << "get() threw";
        }
        EXPECT_TRUE(workbook::eventually([&] { return !place->lock(); })) << "thrown";
      },
      [](auto&) {});
}

TEST(MyTest, WhoeverWaitsIsToldOfAFailure) {
  struct State {
    std::unique_ptr<Place> place = make_place();
    workbook::Gate begun;
  };
  workbook::stress_on(
      2, workbook::rounds(8), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t thread) {
        auto& place = *state->place;
        const auto limit = patience();
        if (thread == 0) {
          (void)place.future.get(limit.context(), place.key,
                                 [&](const Context& context) -> Result<std::string> {
                                   state->begun.open();
                                   context.sleep_for(5ms);  // lets the other one go to sleep
                                   return std::unexpected(Error{Errc::corrupt, "broken"});
                                 });
          return;
        }
        if (!state->begun.wait_for()) return;
        const auto result =
            place.future.get(limit.context(), place.key,
                             [](const Context&) -> Result<std::string> { return "second"; });
        if (result) {
          EXPECT_EQ(*result, "second");
        } else {
          EXPECT_NE(result.error().code, Errc::deadline_exceeded) << "nobody told us";
        }
      },
      [](auto&) {});
}

TEST(MyTest, ValuesComeBackAsTheyWere) {
  workbook::stress_on(
      2, workbook::rounds(8), make_place,
      [](auto& place, std::size_t) {
        for (const std::string& value : {""s, "a\0b"s, "error"s}) {
          const auto limit = patience();
          const auto result = place->future.get(limit.context(), place->key + value,
                                                [&](const Context&) -> Result<std::string> {
                                                  ++place->runs;
                                                  return value;
                                                });
          EXPECT_TRUE(result == value);
        }
      },
      [](auto& place) { EXPECT_EQ(place->runs, 3) << "one computation for each of three keys"; });
}

}  // namespace
