// Breaks versions that lose, double or mix up what a failing function has to say.
#include <atomic>
#include <cstddef>
#include <expected>
#include <gtest/gtest.h>
#include <memory>
#include <stdexcept>
#include <string>

#include "result_future.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"

namespace {

using futures::Errc;
using futures::Error;
using futures::Result;

std::string name_of(std::size_t thread, std::size_t round) {
  return std::to_string(thread) + "/" + std::to_string(round);
}

// On every thread one function of each kind. Each is called once, and each waiter gets exactly one
// message: its own.
TEST(MyTest, EveryOutcomeIsOneMessageOfItsOwn) {
  workbook::stress(6, workbook::rounds(40), [](std::size_t thread, std::size_t round) {
    const std::string name = name_of(thread, round);
    auto calls = std::make_shared<std::atomic<int>>(0);

    auto good = futures::async_result<std::string>([=] {
      ++*calls;
      return name;
    });
    auto bad = futures::async_result<std::string>([=]() -> Result<std::string> {
      ++*calls;
      return std::unexpected(Error{Errc::not_found, name});
    });
    auto thrown = futures::async_result<std::string>([=]() -> Result<std::string> {
      ++*calls;
      throw std::runtime_error(name);
    });

    const auto from_thrown = thrown.receive();
    ASSERT_TRUE(from_thrown.has_value()) << "an exception has to arrive, too";
    EXPECT_FALSE(from_thrown->has_value());
    EXPECT_FALSE(thrown.receive()) << "a second message after the exception";

    EXPECT_EQ(good.receive(), Result<std::string>(name));
    EXPECT_FALSE(good.receive());
    EXPECT_EQ(bad.receive(), Result<std::string>(std::unexpected(Error{Errc::not_found, name})));
    EXPECT_FALSE(bad.receive());
    EXPECT_EQ(*calls, 3);
  });
}

}  // namespace
