// What the tests of task 8 share.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <ostream>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"
#include "testing/threads.hpp"
#include "user_loader.hpp"

// {"ada", "Ada Lovelace"}
template <>
class testing::internal::UniversalPrinter<futures::User> {
 public:
  static void Print(const futures::User& user, std::ostream* out) {
    *out << "{" << PrintToString(user.id) << ", " << PrintToString(user.name) << "}";
  }
};

namespace user_loader_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them
using namespace std::chrono_literals;
using workbook::ended;
using workbook::forever;
using workbook::show;

// What the n-th load of an id returns. Too long for the small-string buffer: a name that is torn,
// moved-from or freed shows.
inline User user_of_load(std::size_t n, const std::string& id) {
  return User{id, "as load " + std::to_string(n) + " of " + id + " found it in the database"};
}

// `load 2 of ada` for what that load returned; any other user is shown in full.
inline constexpr auto which = [](const User& user) -> std::string {
  for (std::size_t n = 1; n <= 9; ++n) {
    if (user.name == user_of_load(n, user.id).name)
      return "load " + std::to_string(n) + " of " + user.id;
  }
  return "a user with the id '" + user.id + "' and the name '" + user.name + "'";
};

// `value "load 2 of ada"`, `error cancelled`.
// An object, so that no overload in a header under test stands in for it.
inline constexpr auto got = [](const Result<User>& result) -> std::string {
  return show(result ? Result<std::string>(which(*result))
                     : Result<std::string>(std::unexpected(result.error())));
};

inline const std::string load_1 = "value \"load 1 of ada\"";
inline const std::string load_2 = "value \"load 2 of ada\"";
inline const std::string load_3 = "value \"load 3 of ada\"";

// One call of the load function, as the test sees it.
class Call {
 public:
  Call(std::string i, Context c) : id(std::move(i)), context(std::move(c)) {}

  const std::string id;
  const Context context;
  workbook::Gate may_end;  // the load returns no earlier, whatever its context says
  workbook::Gate ended;    // open once it is about to return
};

// A backend whose loads last as long as the test wants, and do not care about their context.
// Numbers them from 1.
class SlowBackend {
 public:
  SlowBackend() = default;
  SlowBackend(const SlowBackend&) = delete;
  SlowBackend& operator=(const SlowBackend&) = delete;
  ~SlowBackend() { let_go(); }

  // Lets all loads end, those to come as well.
  void let_go() { shared_->release_all(); }

  // The function for the loader. It may run on after this object is gone.
  UserLoader::Load load() const {
    return [shared = shared_](const Context& context, const std::string& id) -> Result<User> {
      const auto [call, number] = shared->enter(context, id);
      call->may_end.wait();
      static_cast<void>(context.done());  // callers may be long gone: the context may not
      User user = user_of_load(number, id);
      call->ended.open();
      return user;
    };
  }

  // The n-th load of all ids, once it has begun.
  Call& call(std::size_t n) const { return shared_->wait_for(n); }

  // How many loads have begun so far.
  std::size_t calls() const {
    const std::lock_guard lock(shared_->mutex);
    return shared_->calls.size();
  }

 private:
  struct Shared {
    std::pair<std::shared_ptr<Call>, std::size_t> enter(const Context& context,
                                                        const std::string& id) {
      const std::lock_guard lock(mutex);
      calls.push_back(std::make_shared<Call>(id, context));
      if (over) calls.back()->may_end.open();
      return {calls.back(), calls.size()};
    }

    Call& wait_for(std::size_t n) {
      std::unique_lock lock(mutex);
      if (calls.size() < n) {
        lock.unlock();
        EXPECT_TRUE(workbook::eventually([&] {
          const std::lock_guard again(mutex);
          return calls.size() >= n;
        })) << "load number "
            << n << " should have begun; only " << calls.size() << " have";
        lock.lock();
        // The test has failed; it goes on with a load that nobody made.
        while (calls.size() < n) calls.push_back(std::make_shared<Call>("nobody", forever));
      }
      return *calls[n - 1];
    }

    void release_all() {
      const std::lock_guard lock(mutex);
      over = true;
      for (auto& call : calls) call->may_end.open();
    }

    std::mutex mutex;
    std::vector<std::shared_ptr<Call>> calls;  // guarded by mutex
    bool over = false;                         // guarded by mutex
  };

  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

// A caller on a thread of its own, with a context and an id of its own.
class Caller {
 public:
  Caller(UserLoader& loader, std::string id, const Context& parent = forever)
      : source_(with_cancel(parent)), thread_([this, &loader, id = std::move(id)] {
          outcome_ = loader.get(source_.context(), id);
          back_.open();
        }) {}

  void cancel() { source_.cancel(); }
  bool is_back() const { return back_.is_open(); }

  // What get() returned, once it has.
  const Result<User>& result() {
    if (!back_.wait_for()) {
      static const Result<User> nothing =
          std::unexpected(Error{Errc::closed, "a caller is still inside get()"});
      ADD_FAILURE() << nothing.error().message;
      return nothing;
    }
    return *outcome_;
  }
  std::string outcome() { return got(result()); }

 private:
  CancelSource source_;
  workbook::Gate back_;
  std::optional<Result<User>> outcome_;  // written before back_ opens
  std::jthread thread_;
};

// Waits until nothing moves any more: whoever called get() has then joined a load or come back.
// Make it first, so that it knows which threads are none of the test's.
class Stillness {
 public:
  using Clock = std::chrono::steady_clock;

  Stillness() {
    if constexpr (workbook::flavour() != workbook::Flavour::explored) {
      foreign_ = workbook::threads::list();
    }
  }

  // True when everybody was seen asleep, which proves it. A thread that polls never sleeps for
  // long: it counts as still when it has looked often enough, or when it has had the time to.
  bool wait(Clock::duration at_most = workbook::patience) const {
    if (workbook::let_all_wait(50ms)) return true;
    const auto end = Clock::now() + at_most;
    workbook::threads::EffectiveTime time;  // a starved thread needs longer to come to rest
    auto first = look(end);
    auto before = first;
    while (time.passed() < 500ms && Clock::now() < end) {
      std::this_thread::sleep_for(1ms);
      auto now = look(end);
      if (Clock::now() >= end) break;
      first.insert(now.begin(), now.end());
      bool asleep = now.size() == before.size();
      bool at_rest = asleep;
      for (const auto& [tid, sighting] : now) {
        // Asleep in both looks and not run in between: at one moment between the two looks all such
        // threads slept, so none of them was about to wake another.
        const auto last = before.find(tid);
        if (last != before.end() && last->second == sighting && sighting.state == 'S') continue;
        asleep = false;
        if (sighting.switches <= first[tid].switches + 20) at_rest = false;
      }
      if (asleep) return true;
      if (at_rest) return false;
      time.advance(tids(now));
      before = std::move(now);
    }
    return false;
  }

 private:
  using Sightings = std::map<int, workbook::threads::Sighting>;

  // A crowd that keeps the processors busy makes this slow: it may end early.
  Sightings look(Clock::time_point end) const {
    Sightings all;
    for (const int tid : workbook::threads::list()) {
      if (tid == ::gettid() || std::ranges::binary_search(foreign_, tid)) continue;
      if (Clock::now() >= end) break;
      if (const auto sighting = workbook::threads::look(tid)) all.emplace(tid, *sighting);
    }
    return all;
  }

  static std::vector<int> tids(const Sightings& all) {
    std::vector<int> result;
    for (const auto& [tid, sighting] : all) result.push_back(tid);
    return result;
  }

  std::vector<int> foreign_;
};

// Waits until the context ends, as a well-behaved load does when it has nothing to do.
inline Result<User> until_told(const Context& context) {
  EXPECT_FALSE(context.sleep_for(workbook::patience))
      << "nobody told this load to stop, although all its callers had left";
  return std::unexpected(
      context.error().value_or(Error{Errc::corrupt, "the load was never told to stop"}));
}

}  // namespace user_loader_suite
