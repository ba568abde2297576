// Task 7: three fetches at once; the first error stops the others.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

// Given: what a profile is made of, and where it comes from.
// ---------------------------------------

struct User {
  std::string id;
  std::string name;
  friend bool operator==(const User&, const User&) = default;
};

struct Order {
  std::string id;
  friend bool operator==(const Order&, const Order&) = default;
};

struct Recommendation {
  std::string sku;
  friend bool operator==(const Recommendation&, const Recommendation&) = default;
};

struct Profile {
  User user;
  std::vector<Order> orders;
  std::vector<Recommendation> recommendations;
  friend bool operator==(const Profile&, const Profile&) = default;
};

// Where the parts come from. Every member may be called from any thread, blocks until it has an
// answer, and is expected, but can't be forced, to give up when its context ends. `id` is only good
// during the call.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual Result<User> fetch_user(const Context& context, std::string_view id) = 0;
  virtual Result<std::vector<Order>> fetch_orders(const Context& context, std::string_view id) = 0;
  virtual Result<std::vector<Recommendation>> fetch_recommendations(const Context& context,
                                                                    std::string_view id) = 0;
};

// To do. ------------------------------------------------------------------------------------------

// Functions that run in parallel for one purpose: when one of them fails, the others are pointless.
// Every member may be called from any thread, go() from inside a function of the group as well. The
// group must outlive its functions: call wait() before it is destroyed.
class ErrorGroup {
 public:
  // The group's context is a child of `parent`: it ends with it.
  explicit ErrorGroup([[maybe_unused]] const Context& parent) { not_implemented(); }

  // What the functions of this group see. Ends when one of them fails, and when the parent ends.
  const Context& context() const { not_implemented(); }

  // Runs fn(context()) on a thread of its own and returns at once. The first function to return an
  // error, in time, decides what wait() returns, and ends the group's context. An exception counts
  // as an error. A group whose context has ended need not start fn any more; wait() then has an
  // error to return.
  void go([[maybe_unused]] Fn<Result<void>(const Context&)> fn) { not_implemented(); }

  // Returns when every function has returned: success, or the first error. Always all of them: who
  // waits may then destroy whatever they used.
  Result<void> wait() { not_implemented(); }
};

// Fetches the three parts of a profile at the same time. All of it, or the first error; when that
// comes the other fetches are told to stop. When fetch_profile returns, nobody uses the backend any
// more.
inline Result<Profile> fetch_profile([[maybe_unused]] const Context& context,
                                     [[maybe_unused]] Backend& backend,
                                     [[maybe_unused]] std::string_view id) {
  not_implemented();
}

}  // namespace futures
