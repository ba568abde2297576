// Wrong: a stage that is over destroys its stop_callbacks at once (with no lock held, but that
// waits for a call that is running on another thread); bites when thread A cancels the output, and
// the producer's stop callback, up the pipeline, waits for thread B, which settles the head at this
// moment: B waits in resolve() for A's call to end, A for B, for ever.
#pragma once

#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "future.hpp"  // task 5
#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

namespace detail {

// Given. Whether two handles refer to the same future.
template <class T>
bool same_future(const Future<T>& a, const Future<T>& b) {
  return std::memcmp(static_cast<const void*>(&a), static_cast<const void*>(&b), sizeof a) == 0;
}

namespace pipeline {

// The steps that this thread has still to do. A step that is caused by another runs after it.
using Steps = std::deque<Fn<void()>>;

inline Steps*& steps_here() {
  thread_local Steps* steps = nullptr;
  return steps;
}

inline unsigned& functions_here() {
  thread_local unsigned nested = 0;
  return nested;
}

inline void run_flat(Fn<void()> step) {
  if (Steps* steps = steps_here()) {
    steps->push_back(std::move(step));
    return;
  }
  Steps mine;
  steps_here() = &mine;
  mine.push_back(std::move(step));
  while (!mine.empty()) {
    Fn<void()> next = std::move(mine.front());
    mine.pop_front();
    next();
  }
  steps_here() = nullptr;
}

// While a function runs it has a list of its own, so that it may wait for a pipeline. Functions
// that are nested too deep share the list of the last one that got one.
class OwnSteps {
 public:
  OwnSteps() : before_(steps_here()) {
    if (functions_here()++ < 40) steps_here() = nullptr;
  }
  ~OwnSteps() {
    --functions_here();
    steps_here() = before_;
  }
  OwnSteps(const OwnSteps&) = delete;
  OwnSteps& operator=(const OwnSteps&) = delete;

 private:
  Steps* before_;
};

// Who waits for whom, by the bytes of the handles.
class Roads {
 public:
  static Roads& instance() {
    static auto* roads = new Roads;
    return *roads;
  }

  void enter(const std::string& output, const std::string& input) {
    const std::lock_guard lock(mutex_);
    roads_[output] = input;
  }

  // False: the output would wait for itself.
  bool turn(const std::string& output, const std::string& inner) {
    const std::lock_guard lock(mutex_);
    const auto own = roads_.find(output);
    if (own == roads_.end()) return true;  // it waits for nobody any more
    const std::string* at = &inner;
    while (*at != output) {
      const auto road = roads_.find(*at);
      if (road == roads_.end()) {
        own->second = inner;
        return true;
      }
      at = &road->second;
    }
    return false;
  }

  void leave(const std::string& output) {
    const std::lock_guard lock(mutex_);
    roads_.erase(output);
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::string> roads_;  // guarded by mutex_
};

template <class T>
std::string bytes_of(const Future<T>& future) {
  std::string bytes(sizeof future, '\0');
  std::memcpy(bytes.data(), static_cast<const void*>(&future), sizeof future);
  return bytes;
}

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

template <class T, class U, class Kind>
class Stage : public std::enable_shared_from_this<Stage<T, U, Kind>> {
 public:
  using Function = typename Kind::Function;

  static Future<U> start(const Context& context, Future<T> input, Function fn) {
    auto [output, resolver] = make_future<U>();
    const auto stage = std::make_shared<Stage>(context, input, std::move(fn), std::move(resolver),
                                               bytes_of(output));
    Roads::instance().enter(stage->name_, bytes_of(input));
    stage->listen();
    input.on_settled([stage](const Result<T>& outcome) {
      try {
        run_flat([stage, copy = outcome]() mutable { stage->heard(std::move(copy)); });
      } catch (...) {
        stage->finish(std::unexpected(error_from_current_exception()));
      }
    });
    return output;
  }

  Stage(const Context& context, Future<T> input, Function fn, Resolver<U> resolver,
        std::string name)
      : context_(context),
        name_(std::move(name)),
        resolver_(std::move(resolver)),
        input_(std::move(input)),
        fn_(std::move(fn)) {}
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  ~Stage() { Roads::instance().leave(name_); }

 private:
  struct Listener {
    std::weak_ptr<Stage> stage;
    bool context;
    void operator()() const noexcept {
      const auto self = stage.lock();
      if (!self) return;
      if (context) {
        run_flat([self] { self->end_with_context(); });
      } else {
        run_flat([self] { self->cancel(); });
      }
    }
  };

  struct Links {
    explicit Links(const std::shared_ptr<Stage>& stage)
        : context(stage->context_.stop_token(), Listener{stage, true}),
          output(stage->resolver_.context().stop_token(), Listener{stage, false}) {}
    std::stop_callback<Listener> context;
    std::stop_callback<Listener> output;
  };

  // No lock is held while the links are made or destroyed: they may call, or wait for a call.
  void listen() {
    auto links = std::make_unique<Links>(this->shared_from_this());
    {
      const std::lock_guard lock(mutex_);
      if (!over_) links_ = std::move(links);
    }
  }

  void heard(std::optional<Result<T>> outcome) {
    if (context_.done()) return end_with_context();
    Function fn;
    {
      const std::lock_guard lock(mutex_);
      if (over_) return;
      fn = std::exchange(fn_, nullptr);
    }
    if (!Kind::wants(*outcome)) {
      fn = nullptr;
      return finish(Kind::pass(*std::move(outcome)));
    }
    if (context_.done()) return end_with_context();
    auto reply = call(fn, *std::move(outcome));
    fn = nullptr;
    outcome.reset();
    if constexpr (Kind::follows) {
      if (reply) {
        follow(*std::move(reply));
      } else {
        finish(std::unexpected(std::move(reply).error()));
      }
    } else {
      finish(std::move(reply));
    }
  }

  auto call(Function& fn, Result<T>&& outcome) {
    using Reply = decltype(Kind::apply(fn, context_, std::move(outcome)));
    const OwnSteps own;
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

  void follow(Future<U> inner) {
    if constexpr (Kind::follows) {
      if (!Roads::instance().turn(name_, bytes_of(inner))) {
        finish(
            std::unexpected(Error{Errc::invalid_argument,
                                  "the function returned a future that waits for its own output"}));
        return;
      }
      bool unwanted = false;
      {
        const std::lock_guard lock(mutex_);
        inner_ = inner;
        unwanted = unwanted_ || over_;
      }
      if (unwanted) inner.cancel();
      inner.on_settled([self = this->shared_from_this()](const Result<U>& outcome) {
        try {
          run_flat([self, copy = outcome]() mutable { self->finish(std::move(copy)); });
        } catch (...) {
          self->finish(std::unexpected(error_from_current_exception()));
        }
      });
    }
  }

  // Somebody cancelled the output.
  void cancel() {
    std::optional<Future<U>> inner;
    {
      const std::lock_guard lock(mutex_);
      if (over_) return;
      unwanted_ = true;
      inner = inner_;
    }
    inner ? inner->cancel() : input_.cancel();
  }

  void end_with_context() {
    std::optional<Future<U>> inner;
    Function doomed;
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(over_, true)) return;
      inner = inner_;
      doomed = std::exchange(fn_, nullptr);
    }
    settle(std::unexpected(*context_.error()));
    inner ? inner->cancel() : input_.cancel();
    let_go();
  }

  void finish(Result<U> outcome) {
    if (context_.done()) return end_with_context();
    Function doomed;
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(over_, true)) return;
      doomed = std::exchange(fn_, nullptr);
    }
    doomed = nullptr;
    settle(std::move(outcome));
    let_go();
  }

  void settle(Result<U> outcome) {
    Roads::instance().leave(name_);
    if (outcome) {
      resolver_.resolve(*std::move(outcome));
    } else {
      resolver_.reject(std::move(outcome).error());
    }
  }

  // A stage that is over listens to nobody: a long-lived context should not have to carry it.
  void let_go() {
    std::unique_ptr<Links> links;
    {
      const std::lock_guard lock(mutex_);
      links = std::move(links_);
    }
  }

  const Context context_;
  const std::string name_;
  Resolver<U> resolver_;
  const Future<T> input_;
  std::mutex mutex_;
  Function fn_;  // guarded by mutex_, as all of these
  std::optional<Future<U>> inner_;
  bool unwanted_ = false;
  bool over_ = false;
  std::unique_ptr<Links> links_;
};

}  // namespace pipeline
}  // namespace detail

template <class U, class T>
Future<U> then(const Context& context, Future<T> future,
               std::type_identity_t<Fn<Future<U>(const Context&, T)>> fn) {
  return detail::pipeline::Stage<T, U, detail::pipeline::Then<T, U>>::start(
      context, std::move(future), std::move(fn));
}

template <class U, class T>
Future<U> map(const Context& context, Future<T> future, std::type_identity_t<Fn<Result<U>(T)>> fn) {
  return detail::pipeline::Stage<T, U, detail::pipeline::Map<T, U>>::start(
      context, std::move(future), std::move(fn));
}

template <class T>
Future<T> recover(const Context& context, Future<T> future,
                  std::type_identity_t<Fn<Result<T>(Error)>> fn) {
  return detail::pipeline::Stage<T, T, detail::pipeline::Recover<T>>::start(
      context, std::move(future), std::move(fn));
}

}  // namespace futures
