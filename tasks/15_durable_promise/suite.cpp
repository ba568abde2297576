#include <concepts>
#include <limits>
#include <utility>

#include "suite_calls.hpp"
#include "suite_faults.hpp"
#include "suite_kills.hpp"
#include "suite_neighbours.hpp"
#include "suite_support.hpp"
#include "suite_together.hpp"
#include "suite_turns.hpp"

namespace durable_suite {
namespace {

// The types of the contract: a value of any other could compare equal to whatever is expected.
static_assert(
    requires(Storage& storage) {
      { storage.create_if_absent("id") } -> std::same_as<Result<PromiseRecord>>;
    }, "create_if_absent() returns a Result<PromiseRecord>");
static_assert(
    requires(Storage& storage, PromiseRecord& record) {
      { storage.settle(record) } -> std::same_as<Result<PromiseRecord>>;
    }, "settle() returns a Result<PromiseRecord>");
static_assert(
    requires(Storage& storage) {
      { storage.load("id") } -> std::same_as<Result<PromiseRecord>>;
    }, "load() returns a Result<PromiseRecord>");
static_assert(
    requires(Storage& storage) {
      { storage.all() } -> std::same_as<Result<std::vector<PromiseRecord>>>;
    }, "all() returns a Result<std::vector<PromiseRecord>>");
static_assert(
    requires(FileStorage& files) {
      { files.all() } -> std::same_as<Result<std::vector<PromiseRecord>>>;
    }, "all() returns a Result<std::vector<PromiseRecord>>");
static_assert(
    requires(Storage& storage) {
      { DurablePromise<int>::open(storage, "id") } -> std::same_as<Result<DurablePromise<int>>>;
    }, "open() returns a Result<DurablePromise<T>>");
static_assert(
    requires(DurablePromise<int>& promise) {
      { promise.resolve(1) } -> std::same_as<Result<void>>;
    }, "resolve() returns a Result<void>");
static_assert(
    requires(DurablePromise<int>& promise, const Error& error) {
      { promise.reject(error) } -> std::same_as<Result<void>>;
    }, "reject() returns a Result<void>");
static_assert(
    requires(DurablePromise<int>& promise, const Context& context) {
      { std::as_const(promise).await(context) } -> std::same_as<Result<int>>;
    }, "await() returns a Result<T>");
static_assert(
    requires(DurablePromise<int>& promise) {
      { std::as_const(promise).state() } -> std::same_as<State>;
    }, "state() returns a State");
static_assert(
    requires(Storage& storage) {
      {
        futures::recover_all<int>(storage)
      } -> std::same_as<Result<std::vector<DurablePromise<int>>>>;
    }, "recover_all<T>() returns a Result<std::vector<DurablePromise<T>>>");
static_assert(
    requires(PromiseRecord& record) {
      { record.id } -> std::same_as<std::string&>;
    }, "PromiseRecord was given");
static_assert(
    requires(PromiseRecord& record) {
      { record.state } -> std::same_as<State&>;
    }, "PromiseRecord was given");
static_assert(
    requires(PromiseRecord& record) {
      { record.value } -> std::same_as<nlohmann::json&>;
    }, "PromiseRecord was given");
static_assert(
    requires(PromiseRecord& record, const Error& error) {
      { record.error } -> std::same_as<std::optional<Error>&>;
    }, "PromiseRecord was given");

// A process that starts again: nothing but the folder is left.
template <class T>
Result<T> after_restart(const Folder& folder, const std::string& id) {
  FileStorage storage(folder.promises());
  auto promise = DurablePromise<T>::open(storage, id);
  if (!promise) return std::unexpected(promise.error());
  auto ended = with_cancel(Context::background());
  ended.cancel();  // what is there must be found without waiting
  return promise->await(ended.context());
}

TEST(Basic, AResolvedPromiseIsStillResolvedAfterARestart) {
  const Folder folder;
  {
    FileStorage storage(folder.promises());
    auto promise = DurablePromise<int>::open(storage, "answer");
    ASSERT_TRUE(promise) << promise.error().message;
    EXPECT_EQ(promise->state(), State::pending);
    ASSERT_TRUE(promise->resolve(42));
    EXPECT_EQ(promise->state(), State::resolved);
    EXPECT_EQ(promise->await(patiently()), 42);
  }
  EXPECT_EQ(after_restart<int>(folder, "answer"), 42);
}

TEST(Basic, ARejectedPromiseKeepsItsErrorAfterARestart) {
  const Folder folder;
  const Error why{Errc::unavailable, "the \"bank\" said no: \xC3\xA9"};
  {
    FileStorage storage(folder.promises());
    auto promise = DurablePromise<int>::open(storage, "payment");
    ASSERT_TRUE(promise);
    ASSERT_TRUE(promise->reject(why));
    EXPECT_EQ(promise->state(), State::rejected);
    EXPECT_EQ(promise->await(patiently()).error(), why);
  }
  const auto again = after_restart<int>(folder, "payment");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().message, why.message);
  EXPECT_TRUE(again.error().code == Errc::unavailable) << again.error().code.message();
}

TEST(Basic, APromiseNobodySettledIsPendingAfterARestart) {
  const Folder folder;
  {
    FileStorage storage(folder.promises());
    ASSERT_TRUE(DurablePromise<int>::open(storage, "later"));
  }
  FileStorage storage(folder.promises());
  const auto record = storage.load("later");
  ASSERT_TRUE(record) << "open() must write the pending promise down, or recovery can't find it: "
                      << record.error().message;
  EXPECT_EQ(record->id, "later");
  EXPECT_EQ(record->state, State::pending);
  EXPECT_FALSE(record->settled_at);
}

TEST(Basic, APromiseThatDoesNotExistIsNotFound) {
  const Folder folder;
  FileStorage storage(folder.promises());
  EXPECT_FALSE(storage.load("nobody"));
}

TEST(Basic, ResolvingAgainWithTheSameValueSucceeds) {
  const Folder folder;
  FileStorage storage(folder.promises());
  auto promise = DurablePromise<std::string>::open(storage, "p");
  ASSERT_TRUE(promise);
  ASSERT_TRUE(promise->resolve("same"));
  EXPECT_TRUE(promise->resolve("same")) << "a retry after a lost answer must be harmless";
  auto other = DurablePromise<std::string>::open(storage, "p");
  EXPECT_TRUE(other->resolve("same")) << "through another handle, too";
}

TEST(Basic, AnotherOutcomeIsRefusedAndChangesNothing) {
  const Folder folder;
  FileStorage storage(folder.promises());
  auto a = DurablePromise<int>::open(storage, "p");
  auto b = DurablePromise<int>::open(storage, "p");  // opened while it was pending
  ASSERT_TRUE(a && b);
  ASSERT_TRUE(a->resolve(1));
  EXPECT_FALSE(a->resolve(2));
  EXPECT_FALSE(b->resolve(2));
  EXPECT_FALSE(a->reject(Error{Errc::cancelled, "no"}));
  EXPECT_FALSE(b->reject(Error{Errc::cancelled, "no"}))
      << "this handle was opened before the promise was resolved; it must look again";
  EXPECT_EQ(a->await(patiently()), 1);
  EXPECT_EQ(b->await(patiently()), 1);
  EXPECT_EQ(after_restart<int>(folder, "p"), 1);
}

TEST(Basic, AResolveAfterARejectIsRefusedAndChangesNothing) {
  const Folder folder;
  FileStorage storage(folder.promises());
  auto promise = DurablePromise<int>::open(storage, "p");
  ASSERT_TRUE(promise);
  ASSERT_TRUE(promise->reject(Error{Errc::unavailable, "first"}));
  EXPECT_FALSE(promise->resolve(1));
  EXPECT_EQ(after_restart<int>(folder, "p").error().message, "first");
}

// Its JSON is what a rejected or pending record has in the place of a value.
struct Nothing {
  bool operator==(const Nothing&) const = default;
  friend void to_json(nlohmann::json& json, const Nothing&) { json = nullptr; }
  friend void from_json(const nlohmann::json&, Nothing&) {}
};

TEST(Basic, AValueThatLooksLikeNoneIsAValue) {
  const Folder folder;
  FileStorage storage(folder.promises());
  auto rejected = DurablePromise<Nothing>::open(storage, "rejected");
  ASSERT_TRUE(rejected && rejected->reject(Error{Errc::unavailable, "first"}));
  EXPECT_FALSE(rejected->resolve(Nothing())) << "it is rejected, and that is another outcome";
  EXPECT_EQ(after_restart<Nothing>(folder, "rejected").error().message, "first");

  auto resolved = DurablePromise<Nothing>::open(storage, "resolved");
  ASSERT_TRUE(resolved && resolved->resolve(Nothing()));
  EXPECT_TRUE(resolved->resolve(Nothing()));
  EXPECT_FALSE(resolved->reject(Error{})) << "it is resolved, and that is another outcome";
  EXPECT_TRUE(after_restart<Nothing>(folder, "resolved"));
}

TEST(Basic, RejectingAgainWithTheSameErrorSucceedsAndWithAnotherDoesNot) {
  const Folder folder;
  FileStorage storage(folder.promises());
  for (const Errc code : {Errc::unavailable, Errc::cancelled, Errc::exception}) {
    auto promise = DurablePromise<int>::open(storage, "p" + std::to_string(static_cast<int>(code)));
    ASSERT_TRUE(promise);
    ASSERT_TRUE(promise->reject(Error{code, "no"}));
    EXPECT_TRUE(promise->reject(Error{code, "no"})) << "the same error again";
    EXPECT_FALSE(promise->reject(Error{code, "not at all"})) << "that is another error";
  }
}

TEST(Basic, TheTimeOfSettlingIsKept) {
  const Folder folder;
  const auto before = std::chrono::system_clock::now() - 1ms;
  FileStorage storage(folder.promises());
  auto promise = DurablePromise<int>::open(storage, "p");
  ASSERT_TRUE(promise && promise->resolve(1));
  const auto after = std::chrono::system_clock::now() + 1ms;
  const auto first = FileStorage(folder.promises()).load("p");
  ASSERT_TRUE(first);
  ASSERT_TRUE(first->settled_at) << "a settled record has no time";
  EXPECT_GE(*first->settled_at, before - 1s) << "whole seconds are precise enough";
  EXPECT_LE(*first->settled_at, after);
  ASSERT_TRUE(promise->resolve(1));
  EXPECT_EQ(FileStorage(folder.promises()).load("p")->settled_at, first->settled_at)
      << "resolving again must not move it";
}

TEST(Basic, RecoveryFindsEveryPromise) {
  const Folder folder;
  {
    FileStorage storage(folder.promises());
    auto a = DurablePromise<int>::open(storage, "a");
    auto b = DurablePromise<int>::open(storage, "b");
    auto c = DurablePromise<int>::open(storage, "c");
    ASSERT_TRUE(a && b && c);
    ASSERT_TRUE(a->resolve(1));
    ASSERT_TRUE(b->reject(Error{Errc::unavailable, "x"}));
  }
  FileStorage storage(folder.promises());
  auto recovered = recover_all<int>(storage);
  ASSERT_TRUE(recovered) << recovered.error().message;
  std::map<State, int> count;
  for (const auto& promise : *recovered) ++count[promise.state()];
  EXPECT_EQ(recovered->size(), 3U);
  EXPECT_EQ(count[State::pending], 1);
  EXPECT_EQ(count[State::resolved], 1);
  EXPECT_EQ(count[State::rejected], 1);
}

TEST(Basic, TheContextEndsTheWaitButAnOutcomeComesFirst) {
  const Folder folder;
  FileStorage storage(folder.promises());
  auto promise = DurablePromise<int>::open(storage, "p");
  ASSERT_TRUE(promise);
  auto ended = with_cancel(Context::background());
  ended.cancel(Error{Errc::unavailable, "mine"});
  EXPECT_EQ(promise->await(ended.context()).error().message, "mine");
  const auto shortly = with_timeout(Context::background(), 20ms);
  EXPECT_TRUE(promise->await(shortly.context()).error().code == Errc::deadline_exceeded);
  ASSERT_TRUE(promise->resolve(5));
  EXPECT_EQ(promise->await(ended.context()), 5);

  auto failed = DurablePromise<int>::open(storage, "q");
  ASSERT_TRUE(failed);
  ASSERT_TRUE(failed->reject(Error{Errc::unavailable, "no stock"}));
  EXPECT_EQ(failed->await(ended.context()).error().message, "no stock")
      << "an error is an outcome as well";
}

TEST(Basic, ValuesComeBackAsTheyWere) {
  const Folder folder;
  FileStorage storage(folder.promises());
  const std::int64_t large = (std::int64_t{1} << 53) + 1;  // a double would round it
  ASSERT_TRUE(DurablePromise<std::int64_t>::open(storage, "int")->resolve(large));
  EXPECT_EQ(after_restart<std::int64_t>(folder, "int"), large);
  const std::uint64_t huge = ~std::uint64_t{0};
  ASSERT_TRUE(DurablePromise<std::uint64_t>::open(storage, "uint")->resolve(huge));
  EXPECT_EQ(after_restart<std::uint64_t>(folder, "uint"), huge);
  ASSERT_TRUE(DurablePromise<double>::open(storage, "double")->resolve(0.1));
  EXPECT_EQ(after_restart<double>(folder, "double"), 0.1);
  const std::string text("quote \" backslash \\ line\n zero \0 end \xE2\x82\xAC", 40);
  ASSERT_TRUE(DurablePromise<std::string>::open(storage, "text")->resolve(text));
  EXPECT_EQ(after_restart<std::string>(folder, "text"), text);
  const std::map<std::string, std::vector<int>> nested{{"a", {1, 2}}, {"", {}}};
  ASSERT_TRUE((DurablePromise<decltype(nested)>::open(storage, "map")->resolve(nested)));
  EXPECT_EQ((after_restart<std::map<std::string, std::vector<int>>>(folder, "map")), nested);
}

template <class T>
void expect_refused_or_unharmed(const T& value, const T& plain) {
  const Folder folder;
  FileStorage storage(folder.promises());
  auto promise = DurablePromise<T>::open(storage, "p");
  ASSERT_TRUE(promise);
  if (promise->resolve(value)) {
    EXPECT_EQ(after_restart<T>(folder, "p"), value) << "resolve said that this value is kept";
  } else {
    EXPECT_EQ(promise->state(), State::pending) << "a refused value must leave the promise pending";
    EXPECT_TRUE(promise->resolve(plain));
  }
}

TEST(Basic, TextThatIsNoUtf8IsRefusedOrComesBackUnharmed) {
  expect_refused_or_unharmed<std::string>("caf\xE9", "cafe");
}

TEST(Basic, NumbersThatJsonHasNoWordForAreRefusedOrComeBackUnharmed) {
  constexpr double endless = std::numeric_limits<double>::infinity();
  expect_refused_or_unharmed<double>(endless, 1);
  using List = std::vector<double>;
  expect_refused_or_unharmed<List>({1, -endless}, {1});
  expect_refused_or_unharmed<std::map<std::string, List>>({{"a", {endless}}}, {{"a", {}}});
}

// A type that can only be moved.
struct Ticket {
  std::unique_ptr<int> number;
};

}  // namespace
}  // namespace durable_suite

template <>
struct nlohmann::adl_serializer<durable_suite::Ticket> {
  static void to_json(json& j, const durable_suite::Ticket& ticket) { j = *ticket.number; }
  static durable_suite::Ticket from_json(const json& j) {
    return {std::make_unique<int>(j.get<int>())};
  }
};

namespace durable_suite {
namespace {

TEST(Basic, AValueThatCanOnlyBeMovedIsFine) {
  const Folder folder;
  FileStorage storage(folder.promises());
  auto promise = DurablePromise<Ticket>::open(storage, "p");
  ASSERT_TRUE(promise && promise->resolve(Ticket{std::make_unique<int>(7)}));
  for (int i = 0; i < 2; ++i) {
    const auto ticket = promise->await(patiently());
    ASSERT_TRUE(ticket);
    EXPECT_EQ(*ticket->number, 7);
  }
}

}  // namespace
}  // namespace durable_suite
