#include <cstdlib>
#include <gtest/gtest.h>

#include "runner.hpp"

namespace grader {
namespace {

TEST(OwnServer, IsUsedByTasksThatNeedRedisAndByNoOther) {
  Task with;
  with.services = {"redis"};
  const Task without;
  ::unsetenv("REDIS_URL");
  EXPECT_EQ(own_server(with), "");
  ::setenv("REDIS_URL", "unix:///run/redis.sock", 1);
  EXPECT_EQ(own_server(with), "unix:///run/redis.sock");
  EXPECT_EQ(own_server(without), "");
  ::unsetenv("REDIS_URL");
}

}  // namespace
}  // namespace grader
