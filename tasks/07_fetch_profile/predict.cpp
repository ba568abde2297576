// The scenes of predictions.toml. Each runs once, undisturbed, on the explorer's virtual clock, and
// says what it saw; nothing here is required of anybody's code.
#include <chrono>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <vector>

#include "fetch_profile.hpp"
#include "testing/kit.hpp"
#include "testing/scene.hpp"

namespace {

using namespace std::chrono_literals;
using futures::Context;
using futures::Errc;
using futures::Error;
using futures::Order;
using futures::Recommendation;
using futures::Result;
using futures::User;
using workbook::answer_for;
using workbook::forever;
using workbook::observed;

// Answers after an hour, unless its context ends first.
class Slow : public futures::Backend {
 public:
  Result<User> fetch_user(const Context& context, std::string_view) override {
    return patiently<User>(context);
  }
  Result<std::vector<Order>> fetch_orders(const Context& context, std::string_view) override {
    return patiently<std::vector<Order>>(context);
  }
  Result<std::vector<Recommendation>> fetch_recommendations(const Context& context,
                                                            std::string_view) override {
    return patiently<std::vector<Recommendation>>(context);
  }

 private:
  template <class T>
  static Result<T> patiently(const Context& context) {
    if (context.sleep_for(1h)) return T{};
    return std::unexpected(*context.error());
  }
};

class FailsBesideADeafOne : public Slow {
 public:
  Result<User> fetch_user(const Context&, std::string_view) override {
    std::this_thread::sleep_for(10ms);
    return std::unexpected(Error{Errc::unavailable, "the user service is down"});
  }
  Result<std::vector<Order>> fetch_orders(const Context&, std::string_view) override {
    std::this_thread::sleep_for(2s);
    return std::vector<Order>{};
  }
};

TEST(Explored, DeafSibling) {
  const workbook::SceneClock clock;
  FailsBesideADeafOne backend;
  const auto profile = futures::fetch_profile(forever, backend, "ada");
  observed("When does fetch_profile return?",
           answer_for(clock.elapsed(), {{10ms, "after 10 ms"}, {2s, "after two seconds"}}));
  observed("With which error?", profile ? "none"
                                : profile.error().code == Errc::unavailable
                                    ? "the user service's"
                                    : profile.error().code.message());
}

TEST(Explored, CallerCancels) {
  const workbook::SceneClock clock;
  Slow backend;
  auto source = futures::with_cancel(forever);
  std::jthread canceller([&] {
    clock.sleep_until(1s);
    source.cancel();
  });
  const auto profile = futures::fetch_profile(source.context(), backend, "ada");
  observed("When does fetch_profile return?",
           answer_for(clock.elapsed(), {{1s, "after one second"}}, "after an hour"));
  observed("With which error?", profile ? "none" : profile.error().code.message());
}

TEST(Explored, Thrower) {
  const workbook::SceneClock clock;
  futures::ErrorGroup group(forever);
  group.go([](const Context&) -> Result<void> {
    std::this_thread::sleep_for(1s);
    throw std::runtime_error("out of paper");
  });
  std::string sibling_ended;
  group.go([&](const Context& context) -> Result<void> {
    context.sleep_for(1h);
    sibling_ended = answer_for(clock.elapsed(), {{1s, "after one second"}}, "after an hour");
    return {};
  });
  const auto result = group.wait();
  observed("What does wait return?", result ? "success"
                                     : result.error().code == Errc::exception
                                         ? "the exception, as an error"
                                         : result.error().code.message());
  observed("When does the sibling end?", sibling_ended);
}

}  // namespace
