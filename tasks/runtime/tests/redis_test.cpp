#include "runtime/redis.hpp"

#include <gtest/gtest.h>
#include <string>
#include <thread>

#include "testing/redis_server.hpp"
#include "threads.hpp"

namespace futures {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using test::patience;

class RedisTest : public testing::Test {
 protected:
  Redis connect() { return *Redis::connect(limit(), server_.endpoint()); }
  const Context& limit() const { return limit_.context(); }

  workbook::RedisServer server_;
  CancelSource limit_ = with_timeout(Context::background(), patience);
};

TEST(RedisEndpoint, IsParsed) {
  EXPECT_EQ(RedisEndpoint::parse("unix:///tmp/s.sock")->path, "/tmp/s.sock");
  EXPECT_EQ(RedisEndpoint::parse("redis://example.org")->host, "example.org");
  EXPECT_EQ(RedisEndpoint::parse("redis://example.org:7000")->port, 7000);
  EXPECT_EQ(RedisEndpoint::parse("redis://example.org:7000")->text(), "redis://example.org:7000");
  for (const char* bad : {"", "localhost", "unix://", "redis://", "redis://h:", "redis://h:0",
                          "redis://h:65536", "redis://h:12x", "redis://:12"}) {
    const auto parsed = RedisEndpoint::parse(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_TRUE(parsed.error().code == Errc::invalid_argument) << bad;
  }
}

TEST_F(RedisTest, AnswersOfEveryKind) {
  auto redis = connect();
  EXPECT_EQ(redis.command(limit(), {"SET", "k", "v"})->kind, RedisReply::Kind::status);
  EXPECT_EQ(redis.command(limit(), {"GET", "k"})->text, "v");
  EXPECT_TRUE(redis.command(limit(), {"GET", "none"})->is_nil());
  EXPECT_EQ(redis.command(limit(), {"INCR", "n"})->integer, 1);
  const auto list = redis.command(limit(), {"MGET", "k", "none"});
  ASSERT_EQ(list->items.size(), 2U);
  EXPECT_EQ(list->items[0].text, "v");
  EXPECT_TRUE(list->items[1].is_nil());
}

TEST_F(RedisTest, ValuesMayHoldAnyByteAndBeLarge) {
  auto redis = connect();
  std::string value = "a\0b\r\n\xff"s;
  value.resize(std::size_t{8} << 20, '\0');
  ASSERT_TRUE(redis.command(limit(), {"SET", "k\0k"s, value}));
  EXPECT_TRUE(redis.command(limit(), {"GET", "k\0k"s})->text == value);
  EXPECT_TRUE(redis.command(limit(), {"GET", "k"})->is_nil());
}

TEST_F(RedisTest, AnErrorReplyLeavesTheConnectionGood) {
  auto redis = connect();
  const auto reply = redis.command(limit(), {"NOSUCH"});
  ASSERT_FALSE(reply);
  EXPECT_TRUE(reply.error().code == Errc::service_error);
  EXPECT_EQ(redis.command(limit(), {"PING"})->text, "PONG");
}

TEST_F(RedisTest, NobodyListening) {
  const auto redis = Redis::connect(limit(), RedisEndpoint{.path = "/nowhere/s.sock"});
  ASSERT_FALSE(redis);
  EXPECT_TRUE(redis.error().code == Errc::unavailable);
  EXPECT_NE(redis.error().message.find("/nowhere/s.sock"), std::string::npos);
  const auto tcp = Redis::connect(limit(), *RedisEndpoint::parse("redis://127.0.0.1:1"));
  ASSERT_FALSE(tcp);
  EXPECT_TRUE(tcp.error().code == Errc::unavailable);
}

TEST_F(RedisTest, AKilledServerIsAnErrorAndSoIsEveryLaterCall) {
  auto redis = connect();
  server_.kill();
  EXPECT_TRUE(redis.command(limit(), {"PING"}).error().code == Errc::unavailable);
  EXPECT_FALSE(redis.usable());
  EXPECT_TRUE(redis.command(limit(), {"PING"}).error().code == Errc::unavailable);
  server_.start();
  EXPECT_TRUE(connect().command(limit(), {"PING"}));
}

TEST_F(RedisTest, AFrozenServerIsLeftWhenTheContextEnds) {
  auto redis = connect();
  server_.freeze();
  const auto shortly = with_timeout(Context::background(), 30ms);
  const auto reply = redis.command(shortly.context(), {"PING"});
  EXPECT_TRUE(reply.error().code == Errc::deadline_exceeded);
  EXPECT_FALSE(redis.usable()) << "the late answer would be taken for the next one's";
  server_.thaw();
}

TEST_F(RedisTest, AnEightMegabyteWriteToAFrozenServerIsLeftToo) {
  auto redis = connect();
  server_.freeze();
  const auto shortly = with_timeout(Context::background(), 30ms);
  const std::string value(std::size_t{8} << 20, 'x');
  EXPECT_TRUE(redis.command(shortly.context(), {"SET", "k", value}).error().code ==
              Errc::deadline_exceeded);
  server_.thaw();
}

TEST_F(RedisTest, AScriptIsSentAgainToAServerThatForgotIt) {
  auto redis = connect();
  RedisScript script("return KEYS[1] .. ARGV[1]");
  EXPECT_EQ(script.run(limit(), redis, {"a"}, {"b"})->text, "ab");
  EXPECT_EQ(script.run(limit(), redis, {"a"}, {"c"})->text, "ac");
  ASSERT_TRUE(redis.command(limit(), {"SCRIPT", "FLUSH"}));
  EXPECT_EQ(script.run(limit(), redis, {"a"}, {"d"})->text, "ad");
}

TEST_F(RedisTest, AScriptThatFailsSaysWhy) {
  auto redis = connect();
  RedisScript script("return redis.call('NOSUCH')");
  EXPECT_TRUE(script.run(limit(), redis, {}, {}).error().code == Errc::service_error);
  RedisScript broken("this is no Lua");
  EXPECT_TRUE(broken.run(limit(), redis, {}, {}).error().code == Errc::service_error);
}

TEST_F(RedisTest, ASubscriptionHearsWhatIsPublishedAfterItIsOpen) {
  auto subscription = RedisSubscription::open(limit(), server_.endpoint(), "news");
  ASSERT_TRUE(subscription);
  auto redis = connect();
  EXPECT_EQ(redis.command(limit(), {"PUBLISH", "news", "a\0b"s})->integer, 1);
  EXPECT_EQ(subscription->next(limit()), "a\0b"s);
}

TEST_F(RedisTest, AWaitForNewsThatEndsCanBeRepeated) {
  auto subscription = RedisSubscription::open(limit(), server_.endpoint(), "news");
  const auto shortly = with_timeout(Context::background(), 10ms);
  EXPECT_TRUE(subscription->next(shortly.context()).error().code == Errc::deadline_exceeded);
  auto redis = connect();
  ASSERT_TRUE(redis.command(limit(), {"PUBLISH", "news", "later"}));
  EXPECT_EQ(subscription->next(limit()), "later");
}

TEST_F(RedisTest, AKilledSubscriptionSaysSo) {
  auto subscription = RedisSubscription::open(limit(), server_.endpoint(), "news");
  auto redis = connect();
  ASSERT_TRUE(redis.command(limit(), {"CLIENT", "KILL", "TYPE", "pubsub"}));
  EXPECT_TRUE(subscription->next(limit()).error().code == Errc::unavailable);
}

TEST_F(RedisTest, CancellingWakesAWaitForNews) {
  auto subscription = RedisSubscription::open(limit(), server_.endpoint(), "news");
  auto source = with_cancel(Context::background());
  const std::jthread canceller([&] { source.cancel(); });
  EXPECT_TRUE(subscription->next(source.context()).error().code == Errc::cancelled);
}

}  // namespace
}  // namespace futures
