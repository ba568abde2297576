#include "runtime/postgres.hpp"

#include <gtest/gtest.h>
#include <string>
#include <thread>

#include "testing/postgres_server.hpp"
#include "threads.hpp"

namespace futures {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using test::patience;

class PostgresTest : public testing::Test {
 protected:
  // One for all tests: making a cluster takes half a second.
  static workbook::PostgresServer& server() {
    static workbook::PostgresServer instance;
    return instance;
  }
  Postgres connect() { return *Postgres::connect(limit(), server().connection()); }
  const Context& limit() const { return limit_.context(); }

 private:
  CancelSource limit_ = with_timeout(Context::background(), patience);
};

TEST_F(PostgresTest, ValuesOfEveryKind) {
  auto postgres = connect();
  std::string bytes = "a\0b\\x27'\xff"s;
  bytes.resize(std::size_t{1} << 20, '\0');
  const auto table = postgres.query(limit(), "SELECT $1::bytea, $2::bigint, $3::text, $4::text",
                                    {Bytes{bytes}, std::int64_t{-7}, "it's", nullptr});
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->rows(), 1);
  EXPECT_TRUE(table->bytes(0, 0) == bytes);
  EXPECT_EQ(table->number(0, 1), -7);
  EXPECT_EQ(table->text(0, 2), "it's");
  EXPECT_TRUE(table->is_null(0, 3));
  EXPECT_FALSE(table->is_null(0, 2));
  EXPECT_TRUE(postgres.query(limit(), "SELECT 1 WHERE false")->empty());
  EXPECT_EQ(postgres.query(limit(), "SELECT $1::text", {"a\0b"s}).error().code,
            Errc::invalid_argument);
}

TEST_F(PostgresTest, ARefusalLeavesTheConnectionGood) {
  auto postgres = connect();
  const auto refused = postgres.query(limit(), "SELECT 1 / 0");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::service_error);
  EXPECT_NE(refused.error().message.find("division by zero"), std::string::npos);
  EXPECT_EQ(postgres.sqlstate(), "22012");
  EXPECT_EQ(postgres.query(limit(), "SELECT 5")->number(0, 0), 5);
}

TEST_F(PostgresTest, TheContextEndsAStatementAndTheConnection) {
  auto postgres = connect();
  const auto shortly = with_timeout(Context::background(), 20ms);
  const auto late = postgres.query(shortly.context(), "SELECT pg_sleep(600)");
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Errc::deadline_exceeded);
  EXPECT_FALSE(postgres.usable());
  EXPECT_EQ(postgres.query(limit(), "SELECT 1").error().code, Errc::unavailable);
}

TEST_F(PostgresTest, EachNotificationIsHeardOnce) {
  auto listener = connect();
  ASSERT_TRUE(listener.query(limit(), "LISTEN news"));
  EXPECT_EQ(*listener.notification(limit(), 1ms), std::nullopt);
  auto speaker = connect();
  ASSERT_TRUE(speaker.query(limit(), "SELECT pg_notify('news', 'one'), pg_notify('news', 'two')"));
  EXPECT_EQ(*listener.notification(limit(), patience), "one");
  EXPECT_EQ(*listener.notification(limit(), patience), "two");
  const auto shortly = with_timeout(Context::background(), 10ms);
  EXPECT_EQ(listener.notification(shortly.context(), patience).error().code,
            Errc::deadline_exceeded);
  EXPECT_TRUE(listener.usable());
}

TEST_F(PostgresTest, ALostConnectionIsUnavailable) {
  auto victim = connect();
  auto idle = connect();
  auto other = connect();
  const auto kill = "SELECT pg_terminate_backend($1::bigint::integer, 10000)"s;
  const auto pid = victim.query(limit(), "SELECT pg_backend_pid()")->number(0, 0);
  std::jthread killer([&] {
    while (other
               .query(limit(),
                      "SELECT 1 FROM pg_stat_activity WHERE pid = $1::bigint AND "
                      "wait_event = 'PgSleep'",
                      {pid})
               ->empty()) {
    }
    EXPECT_TRUE(other.query(limit(), kill, {pid}));
  });
  EXPECT_EQ(victim.query(limit(), "SELECT pg_sleep(600)").error().code, Errc::unavailable);
  killer.join();
  const auto idle_pid = idle.query(limit(), "SELECT pg_backend_pid()")->number(0, 0);
  EXPECT_TRUE(other.query(limit(), kill, {idle_pid}));
  EXPECT_EQ(idle.query(limit(), "SELECT 1").error().code, Errc::unavailable);
  EXPECT_FALSE(idle.usable());
}

TEST_F(PostgresTest, NobodyThereAndNonsenseAreToldApart) {
  EXPECT_EQ(Postgres::connect(limit(), "host=/nowhere user=me").error().code, Errc::unavailable);
  EXPECT_EQ(Postgres::connect(limit(), "nonsense").error().code, Errc::invalid_argument);
}

}  // namespace
}  // namespace futures
