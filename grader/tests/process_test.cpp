#include "process.hpp"

#include <cstddef>
#include <gtest/gtest.h>
#include <string_view>
#include <sys/resource.h>
#include <thread>

#include "machine.hpp"

namespace grader {
namespace {

using namespace std::chrono_literals;

// A grader that comes late must not take a program that spoke for one that kept silent.
TEST(Process, WhatWasSentBeforeTheEndIsRead) {
  constexpr std::size_t sent = 150'000;  // three reads
  auto channel = make_channel_ends(700);
  std::size_t got = 0;
  channel.on_bytes = [&](std::string_view bytes) {
    got += bytes.size();
    std::this_thread::sleep_for(700ms);
  };
  const Command command{.argv = {"bash", "-c", "head -c 150000 /dev/zero >&700"},
                        .environment = {"PATH=/usr/bin:/bin"},
                        .directory = ""};
  run_process(command, {.wall = 20s}, &channel, {});
  EXPECT_EQ(got, sent);
}

TEST(Machine, HasRoomForThreadsUntilItIsFull) {
  EXPECT_TRUE(ThreadWatch().have_room());
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NPROC, &limit), 0);
  const rlimit one{1, limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NPROC, &one), 0);
  EXPECT_FALSE(ThreadWatch().have_room());
  ASSERT_EQ(::setrlimit(RLIMIT_NPROC, &limit), 0);
}

}  // namespace
}  // namespace grader
