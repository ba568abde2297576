// Task 8: one caller at a time here, crowds in suite_stress.hpp, callers who leave, newcomers and
// forgetting in suite_lifecycle.hpp, races for the explorer in suite_explored.hpp.
#include <atomic>
#include <concepts>
#include <stdexcept>
#include <string>
#include <vector>

#include "suite_support.hpp"

#ifndef WORKBOOK_RUNS_EXPLORED_ONLY
namespace user_loader_suite {

// The types of the contract: a value of any other could compare equal to whatever is expected.
static_assert(
    requires(UserLoader& loader, const Context& context, const std::string& id) {
      { loader.get(context, id) } -> std::same_as<Result<User>>;
    }, "get() returns a Result<User>");
static_assert(
    requires(User& user, const std::string& id) {
      { user.id } -> std::same_as<std::string&>;
    }, "User was given");
static_assert(
    requires(User& user) {
      { user.name } -> std::same_as<std::string&>;
    }, "User was given");

TEST(Basic, TheCallerGetsTheUserThatTheLoadFound) {
  std::vector<std::string> asked;
  UserLoader loader([&](const Context&, const std::string& id) -> Result<User> {
    asked.push_back(id);
    return User{id, "Ada Lovelace, Countess of Lovelace"};
  });
  const auto user = loader.get(forever, "ada");
  ASSERT_TRUE(user) << user.error().message;
  EXPECT_EQ(user->id, "ada");
  EXPECT_EQ(user->name, "Ada Lovelace, Countess of Lovelace");
  EXPECT_EQ(asked, std::vector<std::string>{"ada"});
}

TEST(Basic, ALoaderThatNobodyAsksLoadsNothing) {
  std::atomic<int> loads{0};
  {
    UserLoader loader([&](const Context&, const std::string& id) -> Result<User> {
      ++loads;
      return User{id, ""};
    });
    loader.forget("ada");  // there is nothing to forget
  }
  EXPECT_EQ(loads, 0);
}

TEST(Basic, TheCallerGetsTheErrorOfAFailedLoad) {
  // A load may fail with any error, whatever the loader itself uses that code for.
  for (const Error& error : workbook::errors_of_all_kinds()) {
    std::atomic<int> loads{0};
    UserLoader loader([&](const Context&, const std::string&) -> Result<User> {
      ++loads;
      return std::unexpected(error);
    });
    const auto user = loader.get(forever, "ada");
    ASSERT_FALSE(user) << "the load failed, and get returned " << got(user);
    EXPECT_EQ(user.error(), error) << user.error().message;
    EXPECT_EQ(loads, 1) << "whether to try again is for the caller to decide";
  }
}

TEST(Basic, AnExceptionInTheLoadIsAnError) {
  UserLoader standard([](const Context&, const std::string&) -> Result<User> {
    throw std::runtime_error("no such table");
  });
  const auto first = standard.get(forever, "ada");
  ASSERT_FALSE(first) << "the load threw, and get returned " << got(first);
  EXPECT_EQ(first.error().code, Errc::exception) << got(first);
  EXPECT_NE(first.error().message.find("no such table"), std::string::npos)
      << "what() of the exception should be in the message: " << first.error().message;

  UserLoader odd([](const Context&, const std::string&) -> Result<User> { throw 42; });
  const auto second = odd.get(forever, "ada");
  ASSERT_FALSE(second) << "the load threw 42, and get returned " << got(second);
  EXPECT_EQ(second.error().code, Errc::exception) << got(second);
}

TEST(Basic, AFailureIsNotRemembered) {
  std::atomic<std::size_t> loads{0};
  UserLoader loader([&](const Context&, const std::string& id) -> Result<User> {
    switch (const std::size_t n = ++loads; n) {
      case 1:
        return std::unexpected(Error{Errc::unavailable, "down"});
      case 2:
        throw std::runtime_error("still down");
      case 3:
        throw 42;
      default:
        return user_of_load(n, id);
    }
  });
  for (const std::string id : {"ada", ""}) {
    loads = 0;
    EXPECT_EQ(got(loader.get(forever, id)), "error unavailable");
    EXPECT_EQ(got(loader.get(forever, id)), "error exception") << "the second load threw";
    EXPECT_EQ(got(loader.get(forever, id)), "error exception") << "the third load threw 42";
    EXPECT_EQ(got(loader.get(forever, id)), "value \"load 4 of " + id + "\"")
        << "three loads failed, the fourth has not: does a failed load leave something behind?";
  }
}

TEST(Basic, EveryIdIsAUserOfItsOwn) {
  const std::vector<std::string> ids{"ada",
                                     "bob",
                                     "",
                                     "Ada",
                                     "ada ",
                                     std::string("ada\0x", 5),
                                     std::string("ada\0y", 5),
                                     std::string(1000, 'x')};
  const auto meeting = std::make_shared<workbook::Meeting>(ids.size());
  UserLoader loader([meeting](const Context&, const std::string& id) -> Result<User> {
    meeting->meet();
    return user_of_load(1, id);
  });
  std::vector<std::jthread> callers;
  for (const auto& id : ids) {
    callers.emplace_back([&] { EXPECT_EQ(loader.get(forever, id), user_of_load(1, id)); });
  }
  EXPECT_TRUE(meeting->all_met()) << "of " << ids.size() << " users only " << meeting->here()
                                  << " are being loaded: are two of their ids taken for the same?";
}

TEST(Basic, TwoLoadersAskTheirOwnBackends) {
  UserLoader one(
      [](const Context&, const std::string& id) -> Result<User> { return User{id, "one"}; });
  UserLoader two(
      [](const Context&, const std::string& id) -> Result<User> { return User{id, "two"}; });
  EXPECT_EQ(one.get(forever, "ada"), (User{"ada", "one"}));
  EXPECT_EQ(two.get(forever, "ada"), (User{"ada", "two"}));
}

}  // namespace user_loader_suite

// clang-format off: in the order in which a learner meets them
#include "suite_stress.hpp"
#include "suite_lifecycle.hpp"
#endif
#include "suite_explored.hpp"
// clang-format on
