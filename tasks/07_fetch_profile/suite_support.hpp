// Task 7: a backend whose answers each test can replace, and what everybody says.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "fetch_profile.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"

namespace fetch_profile_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them

const Context kForever = Context::background();
const Error kDown{Errc::unavailable, "the service is down"};

// An object, so that no overload in a header under test stands in for them.
constexpr auto fail_with = [](const Error& error) { return std::unexpected(error); };

constexpr auto said = [](const Result<void>& result) -> std::string {
  return result ? "success" : "the error \"" + result.error().message + "\"";
};

// Waits until the context ends. A function that nobody tells to stop is still there when the test
// has run out of patience.
Result<void> until_told(const Context& context) {
  EXPECT_FALSE(context.sleep_for(workbook::patience))
      << "nobody told this function to stop, although another one had failed";
  return fail_with(context.error().value_or(Error{Errc::corrupt, "never told"}));
}

// A backend whose three answers each test can replace.
class FakeBackend : public Backend {
 public:
  using Prelude = std::function<Result<void>(const Context&)>;

  Result<User> fetch_user(const Context& context, std::string_view id) override {
    if (auto go_on = user(context); !go_on) return fail_with(go_on.error());
    return User{std::string(id), "Ada"};
  }
  Result<std::vector<Order>> fetch_orders(const Context& context, std::string_view id) override {
    if (auto go_on = orders(context); !go_on) return fail_with(go_on.error());
    return std::vector{Order{std::string(id) + "-1"}, Order{std::string(id) + "-2"}};
  }
  Result<std::vector<Recommendation>> fetch_recommendations(const Context& context,
                                                            std::string_view id) override {
    if (auto go_on = recommendations(context); !go_on) return fail_with(go_on.error());
    return std::vector{Recommendation{std::string(id) + "-tea"}};
  }

  // What each of the three does before it answers; an error is its answer.
  Prelude user = [](const Context&) { return Result<void>(); };
  Prelude orders = user;
  Prelude recommendations = user;

  // The first, second and third of them, for tests that go through all positions.
  Prelude& at(int position) {
    return position == 0 ? user : position == 1 ? orders : recommendations;
  }
};

const Profile kAdasProfile{{"ada", "Ada"}, {{"ada-1"}, {"ada-2"}}, {{"ada-tea"}}};
constexpr std::array kParts{"user", "orders", "recommendations"};

}  // namespace fetch_profile_suite
