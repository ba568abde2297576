// Your own stress test for task 1. Once the task's tests pass, this file can earn the third point:
// it has to pass on every right version and to break one that is wrong.
//
// The test below is an example to copy, and too tame: it does only what every version survives.
// What do people do with a future that it never does? Some things to try:
//
// - never receive at all (how can you see that the producer has ended all the same?)
// - let the function throw: a std::exception, or something stranger
// - receive twice, or from two threads at once
// - capture something whose destructor you can observe: workbook::Tracked
//
// Wait for events, never for time: "it should be done after 10 ms" is wrong on a busy machine, and
// a test that fails at random proves nothing. workbook::Gate, receive() and workbook::eventually()
// wait for as long as it takes.
#include <cstddef>
#include <gtest/gtest.h>

#include "first_future.hpp"
#include "testing/kit.hpp"

TEST(MyTest, FuturesDeliverTheirValues) {
  workbook::stress(4, workbook::rounds(100), [](std::size_t thread, std::size_t) {
    auto future = futures::async([thread] { return static_cast<int>(thread); });
    EXPECT_EQ(future.receive(), static_cast<int>(thread));
  });
}
