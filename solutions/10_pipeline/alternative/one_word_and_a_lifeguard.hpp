// Right, and odd: no lock and no list in a stage. Three handles that are written once, and one
// atomic word of four bits, say who has the function, who settles, whom to cancel. Steps never
// nest, however often functions make pipelines: each thread has a line, worked off last come first,
// and when a step takes longer than a millisecond while others stand behind it (a function that
// waits for a pipeline of its own), a lifeguard, one thread that is there only while there are such
// lines, has another thread take over those who stand there. Who waits for whom is in 64 small
// tables; a walk along them that seems to find a circle is repeated until it has seen the same one
// twice, so that it was there in between.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "future.hpp"  // task 5
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// Given. Whether two handles refer to the same future.
template <class T>
bool same_future(const Future<T>& a, const Future<T>& b) {
  return std::memcmp(static_cast<const void*>(&a), static_cast<const void*>(&b), sizeof a) == 0;
}

namespace lifeline {

// --- Lines of steps
// ---------------------------------------------------------------------------------

using Step = Fn<void()>;

// The steps that a thread has caused and not yet begun. Only that thread adds to it and takes from
// it; the lifeguard may take them all.
struct Line : std::enable_shared_from_this<Line> {
  std::mutex mutex;
  std::vector<Step> steps;  // guarded by mutex
  std::uint64_t begun = 0;  // guarded by mutex: steps that were begun
  std::uint64_t seen = 0;   // the lifeguard's: `begun` when it last looked
  bool watched = false;     // the thread's own
};

void work_off(std::vector<Step> steps);

class Lifeguard {
 public:
  // Never destroyed: its thread may outlive main().
  static Lifeguard& instance() {
    static auto* lifeguard = new Lifeguard;
    return *lifeguard;
  }

  void watch(std::shared_ptr<Line> line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
    if (on_duty_) return;
    try {
      spawn([this] { look_after_them(); });
      on_duty_ = true;
    } catch (...) {
      // No thread to be had. The line is worked off by its own thread, in its own time.
    }
  }

  void forget(const Line* line) {
    const std::lock_guard lock(mutex_);
    std::erase_if(lines_, [line](const auto& each) { return each.get() == line; });
  }

 private:
  void look_after_them() {
    for (int idle = 0;;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      const std::lock_guard lock(mutex_);
      if (lines_.empty()) {
        if (++idle < 4) continue;
        on_duty_ = false;
        return;
      }
      idle = 0;
      for (const auto& line : lines_) look_after(*line);
    }
  }

  static void look_after(Line& line) {
    const std::lock_guard lock(line.mutex);
    if (line.seen == line.begun && !line.steps.empty()) {
      auto taken = std::make_shared<std::vector<Step>>(std::exchange(line.steps, {}));
      try {
        spawn([taken] { work_off(std::exchange(*taken, {})); });
      } catch (...) {
        line.steps = std::move(*taken);
      }
    }
    line.seen = line.begun;
  }

  std::mutex mutex_;                          // before the mutex of a line
  std::vector<std::shared_ptr<Line>> lines_;  // guarded by mutex_
  bool on_duty_ = false;                      // guarded by mutex_
};

inline Line*& line_here() {
  thread_local Line* line = nullptr;
  return line;
}

// Runs the steps, and all that they cause on this thread.
inline void work_off(std::vector<Step> steps) {
  const auto line = std::make_shared<Line>();
  if (steps.size() > 1) {
    Lifeguard::instance().watch(line);
    line->watched = true;
  }
  {
    const std::lock_guard lock(line->mutex);
    line->steps = std::move(steps);
  }
  line_here() = line.get();
  for (;;) {
    Step step;
    {
      const std::lock_guard lock(line->mutex);
      if (line->steps.empty()) break;
      step = std::move(line->steps.back());
      line->steps.pop_back();
      ++line->begun;
    }
    step();
  }
  line_here() = nullptr;
  if (line->watched) Lifeguard::instance().forget(line.get());
}

inline void stand_in_line(Step step) {
  Line* const line = line_here();
  if (line == nullptr) {
    std::vector<Step> steps;
    steps.push_back(std::move(step));
    work_off(std::move(steps));
    return;
  }
  {
    const std::lock_guard lock(line->mutex);
    line->steps.push_back(std::move(step));
  }
  if (!std::exchange(line->watched, true)) Lifeguard::instance().watch(line->shared_from_this());
}

// --- Who waits for whom
// -----------------------------------------------------------------------------

// A pending output: the bytes of its handle, and a number, because an address may come back.
struct Name {
  std::string bytes;
  std::uint64_t number = 0;
};

class Roads {
 public:
  static Roads& instance() {
    static auto* roads = new Roads;
    return *roads;
  }

  // A new output, of which nobody knows yet. Its road can't close a circle.
  Name enter(std::string output, std::string input) {
    const std::uint64_t there = number_of(input);
    Name name{std::move(output), last_number_.fetch_add(1) + 1};
    Table& table = table_of(name.bytes);
    const std::lock_guard lock(table.mutex);
    table.roads.insert_or_assign(name.bytes, Road{name.number, Name{std::move(input), there}});
    return name;
  }

  // The output waits for `inner` from now on. False: that waits for the output.
  bool turn(const Name& output, std::string inner) {
    // One at a time. Meanwhile roads may end, and new ones begin at outputs for which nobody waits.
    const std::lock_guard lock(turning_);
    Name there{std::move(inner), 0};
    there.number = number_of(there.bytes);
    for (auto path = path_to(output, there); path;) {
      auto again = path_to(output, there);
      if (again == path) return false;
      path = std::move(again);
    }
    const bool rises = there.number > output.number;
    Table& table = table_of(output.bytes);
    const std::lock_guard table_lock(table.mutex);
    const auto found = table.roads.find(output.bytes);
    if (found != table.roads.end() && found->second.number == output.number) {
      if (rises) {
        const std::lock_guard rising_lock(rising_mutex_);
        rising_.insert(output.number);
      }
      found->second.next = std::move(there);
      found->second.rises = rises;
    }
    return true;
  }

  void leave(const Name& output) {
    Table& table = table_of(output.bytes);
    const std::lock_guard lock(table.mutex);
    const auto found = table.roads.find(output.bytes);
    if (found == table.roads.end() || found->second.number != output.number) return;
    if (found->second.rises) {
      const std::lock_guard rising_lock(rising_mutex_);
      rising_.erase(output.number);
    }
    table.roads.erase(found);
  }

 private:
  struct Road {
    std::uint64_t number;
    Name next;           // number 0: it was no pending output
    bool rises = false;  // leads to a younger output
  };
  struct Table {
    std::mutex mutex;
    std::unordered_map<std::string, Road> roads;  // guarded by mutex
  };

  Table& table_of(const std::string& bytes) {
    return tables_[std::hash<std::string>{}(bytes) % tables_.size()];
  }

  std::uint64_t number_of(const std::string& bytes) {
    Table& table = table_of(bytes);
    const std::lock_guard lock(table.mutex);
    const auto found = table.roads.find(bytes);
    return found == table.roads.end() ? 0 : found->second.number;
  }

  // Whether a road from one of those that are as old as this leads to a younger one. If not, then
  // all that can be reached from here is older still.
  bool may_rise(std::uint64_t number) {
    const std::lock_guard lock(rising_mutex_);
    return !rising_.empty() && *rising_.begin() <= number;
  }

  // The numbers on the way, or nothing when it ends elsewhere.
  std::optional<std::vector<std::uint64_t>> path_to(const Name& goal, Name here) {
    std::vector<std::uint64_t> path;
    while (here.number != 0) {
      path.push_back(here.number);
      if (here.number == goal.number) return path;
      if (here.number < goal.number && !may_rise(here.number)) break;
      Table& table = table_of(here.bytes);
      const std::lock_guard lock(table.mutex);
      const auto found = table.roads.find(here.bytes);
      if (found == table.roads.end() || found->second.number != here.number) break;
      here = Name(found->second.next);
    }
    return std::nullopt;
  }

  std::atomic<std::uint64_t> last_number_{0};
  std::mutex turning_;              // before the mutex of a table
  std::mutex rising_mutex_;         // after it
  std::set<std::uint64_t> rising_;  // guarded by rising_mutex_: outputs whose road rises
  std::array<Table, 64> tables_;
};

template <class T>
std::string bytes_of(const Future<T>& future) {
  std::string bytes(sizeof future, '\0');
  std::memcpy(bytes.data(), static_cast<const void*>(&future), sizeof future);
  return bytes;
}

// --- The three kinds
// --------------------------------------------------------------------------------

template <class T, class U>
struct Then {
  using Function = Fn<Future<U>(const Context&, T)>;
  static constexpr bool follows = true;
  static bool wants(const Result<T>& outcome) { return outcome.has_value(); }
  static Result<U> pass(Result<T>&& outcome) { return std::unexpected(std::move(outcome).error()); }
  static Future<U> apply(Function& fn, const Context& context, Result<T>&& outcome) {
    return fn(context, *std::move(outcome));
  }
};

template <class T, class U>
struct Map {
  using Function = Fn<Result<U>(T)>;
  static constexpr bool follows = false;
  static bool wants(const Result<T>& outcome) { return outcome.has_value(); }
  static Result<U> pass(Result<T>&& outcome) { return std::unexpected(std::move(outcome).error()); }
  static Result<U> apply(Function& fn, const Context&, Result<T>&& outcome) {
    return fn(*std::move(outcome));
  }
};

template <class T>
struct Recover {
  using Function = Fn<Result<T>(Error)>;
  static constexpr bool follows = false;
  static bool wants(const Result<T>& outcome) { return !outcome.has_value(); }
  static Result<T> pass(Result<T>&& outcome) { return std::move(outcome); }
  static Result<T> apply(Function& fn, const Context&, Result<T>&& outcome) {
    return fn(std::move(outcome).error());
  }
};

// --- The stage
// --------------------------------------------------------------------------------------

template <class T, class U, class Kind>
class Stage : public std::enable_shared_from_this<Stage<T, U, Kind>> {
 public:
  using Function = typename Kind::Function;

  static Future<U> start(const Context& context, Future<T> input, Function fn) {
    auto [output, resolver] = make_future<U>();
    const auto stage =
        std::make_shared<Stage>(context, input, std::move(fn), std::move(resolver),
                                Roads::instance().enter(bytes_of(output), bytes_of(input)));
    stage->context_link_.emplace(context.stop_token(), Listener{stage, true});
    stage->output_link_.emplace(stage->resolver_.context().stop_token(), Listener{stage, false});
    input.on_settled([stage](const Result<T>& outcome) { stage->heard(outcome); });
    return output;
  }

  Stage(const Context& context, Future<T> input, Function fn, Resolver<U> resolver, Name name)
      : context_(context),
        name_(std::move(name)),
        resolver_(std::move(resolver)),
        input_(std::move(input)),
        fn_(std::move(fn)) {}
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  ~Stage() { Roads::instance().leave(name_); }

 private:
  static constexpr unsigned kTaken = 1;    // somebody has the function, to call it or to destroy it
  static constexpr unsigned kDecided = 2;  // somebody settles the output
  static constexpr unsigned kCancelled = 4;  // what is waited for is to be cancelled
  static constexpr unsigned kInner = 8;      // inner_ is what is waited for

  struct Listener {
    std::weak_ptr<Stage> stage;
    bool context;
    // Keeps the stage while it runs, so that nobody who drops it elsewhere has to wait for this
    // call.
    void operator()() const noexcept {
      const auto self = stage.lock();
      if (!self) return;
      if (context) {
        stand_in_line([self] { self->ended(); });
      } else {
        stand_in_line([self] { self->cancel(kCancelled); });
      }
    }
  };

  // On the stack of whoever settled; the rest is steps.
  void heard(const Result<T>& outcome) {
    try {
      stand_in_line([self = this->shared_from_this(), copy = outcome]() mutable {
        self->go_on(std::move(copy));
      });
    } catch (...) {  // by the copy, which is the user's code
      stand_in_line([self = this->shared_from_this(), error = error_from_current_exception()] {
        self->go_on_without(error);
      });
    }
  }

  void go_on(std::optional<Result<T>> outcome) {
    if (context_.done()) return ended();
    if ((bits_.fetch_or(kTaken) & kTaken) != 0) return;  // it has ended in this moment
    Function fn = std::exchange(fn_, nullptr);
    if (!Kind::wants(*outcome)) {
      fn = nullptr;
      return settle(Kind::pass(*std::move(outcome)));
    }
    if (context_.done()) return ended();
    auto reply = call(fn, *std::move(outcome));
    fn = nullptr;
    outcome.reset();
    if constexpr (Kind::follows) {
      if (reply) {
        follow(*std::move(reply));
      } else {
        settle(std::unexpected(std::move(reply).error()));
      }
    } else {
      settle(std::move(reply));
    }
  }

  auto call(Function& fn, Result<T>&& outcome) {
    using Reply = decltype(Kind::apply(fn, context_, std::move(outcome)));
    if constexpr (Kind::follows) {
      try {
        return Result<Reply>(Kind::apply(fn, context_, std::move(outcome)));
      } catch (...) {
        return Result<Reply>(std::unexpected(error_from_current_exception()));
      }
    } else {
      try {
        return Kind::apply(fn, context_, std::move(outcome));
      } catch (...) {
        return Reply(std::unexpected(error_from_current_exception()));
      }
    }
  }

  void go_on_without(const Error& error) {
    if ((bits_.fetch_or(kTaken) & kTaken) != 0) return;
    fn_ = nullptr;
    settle(std::unexpected(error));
  }

  void follow(Future<U> inner) {
    if constexpr (Kind::follows) {
      if (!Roads::instance().turn(name_, bytes_of(inner))) {
        settle(
            std::unexpected(Error{Errc::invalid_argument,
                                  "the function returned a future that waits for its own output"}));
        return;
      }
      inner_ = inner;
      // Whoever comes second of this and of a cancellation, sees the other.
      if ((bits_.fetch_or(kInner) & kCancelled) != 0) inner.cancel();
      inner.on_settled([self = this->shared_from_this()](const Result<U>& outcome) {
        try {
          stand_in_line([self, copy = outcome]() mutable { self->settle(std::move(copy)); });
        } catch (...) {
          self->settle(std::unexpected(error_from_current_exception()));
        }
      });
    }
  }

  unsigned cancel(unsigned bits) {
    const unsigned before = bits_.fetch_or(bits);
    cancel_source(before);
    return before;
  }

  void cancel_source(unsigned bits) const {
    if ((bits & kInner) != 0) {
      inner_.cancel();
    } else {
      input_.cancel();
    }
  }

  void ended() {
    const unsigned before = bits_.fetch_or(kTaken | kCancelled);
    settle(std::unexpected(*context_.error()));  // before its source has a chance to answer
    cancel_source(before);
    if ((before & kTaken) == 0) fn_ = nullptr;
  }

  void settle(Result<U> outcome) {
    if ((bits_.fetch_or(kDecided) & kDecided) != 0) return;
    Roads::instance().leave(name_);
    if (context_.done()) {
      resolver_.reject(*context_.error());
    } else if (outcome) {
      resolver_.resolve(*std::move(outcome));
    } else {
      resolver_.reject(std::move(outcome).error());
    }
  }

  const Context context_;
  const Name name_;
  Resolver<U> resolver_;
  const Future<T> input_;
  Future<U> inner_;  // written before kInner is set, read only after
  Function fn_;      // whoever sets kTaken has it
  std::atomic<unsigned> bits_{0};
  std::optional<std::stop_callback<Listener>> context_link_;
  std::optional<std::stop_callback<Listener>> output_link_;
};

}  // namespace lifeline
}  // namespace detail

template <class U, class T>
Future<U> then(const Context& context, Future<T> future,
               std::type_identity_t<Fn<Future<U>(const Context&, T)>> fn) {
  return detail::lifeline::Stage<T, U, detail::lifeline::Then<T, U>>::start(
      context, std::move(future), std::move(fn));
}

template <class U, class T>
Future<U> map(const Context& context, Future<T> future, std::type_identity_t<Fn<Result<U>(T)>> fn) {
  return detail::lifeline::Stage<T, U, detail::lifeline::Map<T, U>>::start(
      context, std::move(future), std::move(fn));
}

template <class T>
Future<T> recover(const Context& context, Future<T> future,
                  std::type_identity_t<Fn<Result<T>(Error)>> fn) {
  return detail::lifeline::Stage<T, T, detail::lifeline::Recover<T>>::start(
      context, std::move(future), std::move(fn));
}

}  // namespace futures
