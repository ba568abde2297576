// Wrong: the input is cancelled under the stage's lock; bites when its producer answers at once.
#pragma once

#include <cstddef>
#include <cstring>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "future.hpp"  // task 5: yours when it passes, else the reference
#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

namespace detail {

// Given. Whether two handles refer to the same future. Future has no ==, but what makes a handle
// refer to a future is what is in the handle, so copies have the same bytes.
template <class T>
bool same_future(const Future<T>& a, const Future<T>& b) {
  return std::memcmp(static_cast<const void*>(&a), static_cast<const void*>(&b), sizeof a) == 0;
}

namespace pipeline {

template <class T>
bool refers_to_nothing(const Future<T>& future) {
  return same_future(future, Future<T>());
}

// ---- The trampoline -----------------------------------------------------------------------------

// How deep this thread is in jobs within jobs. A job runs right where it is submitted, depth first,
// until that has gone deep enough; what comes then waits for the innermost of those jobs to return.
// User code starts again at depth 0 (so that it may wait for what it sets off), a few times over.
struct Depth {
  std::list<Fn<void()>> late;
  int jobs = 0;
  int nesting = 0;
};

inline constexpr int max_jobs = 24;
inline constexpr int max_nesting = 8;

inline Depth*& current_depth() {
  thread_local Depth* depth = nullptr;
  return depth;
}

inline void run_job(Fn<void()>& job) noexcept {
  try {
    job();
  } catch (...) {  // out of memory; the stage goes away and its resolver with it
  }
  job = nullptr;
}

inline void submit_at(Depth& here, Fn<void()> job) {
  if (here.jobs == max_jobs) {
    here.late.push_back(std::move(job));
    return;
  }
  ++here.jobs;
  run_job(job);
  while (here.jobs == max_jobs && !here.late.empty()) {
    Fn<void()> next = std::move(here.late.front());
    here.late.pop_front();
    run_job(next);
  }
  --here.jobs;
}

inline void submit(Fn<void()> job) {
  Depth*& here = current_depth();
  if (here != nullptr) {
    submit_at(*here, std::move(job));
    return;
  }
  Depth outermost;
  here = &outermost;
  submit_at(outermost, std::move(job));
  here = nullptr;
}

// While one of these lives, this thread runs code that is not ours.
class UserCode {
 public:
  UserCode() : outer_(current_depth()) {
    if (outer_ == nullptr || outer_->nesting == max_nesting) return;
    mine_.nesting = outer_->nesting + 1;
    current_depth() = &mine_;
  }
  ~UserCode() { current_depth() = outer_; }
  UserCode(const UserCode&) = delete;
  UserCode& operator=(const UserCode&) = delete;

 private:
  Depth* const outer_;
  Depth mine_;  // nothing is left in it when the user code has returned
};

// ---- Stop callbacks that nobody ever waits for --------------------------------------------------

// Destroying a std::stop_callback waits for the callback when another thread is inside. What runs
// inside ours may be user code, so the one that is inside cleans up instead.
class StopHook : public std::enable_shared_from_this<StopHook> {
 public:
  explicit StopHook(Fn<void()> body) : body_(std::move(body)) {}

  void arm(std::stop_token token) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return;
      arming_ = true;
    }
    callback_.emplace(std::move(token), Fire{this});
    bool reset = false;
    {
      const std::lock_guard lock(mutex_);
      arming_ = false;
      reset = closed_ && !running_;
    }
    if (reset) callback_.reset();
  }

  void close() {
    Fn<void()> body;
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return;
      closed_ = true;
      body = std::move(body_);
      if (running_ || arming_) return;
    }
    callback_.reset();  // a callback that starts in this moment sees closed_ and returns
  }

 private:
  struct Fire {
    StopHook* hook;
    void operator()() const noexcept {
      if (auto self = hook->weak_from_this().lock()) self->fire();
    }
  };

  void fire() {
    Fn<void()> body;
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return;
      running_ = true;
      body = std::move(body_);
    }
    if (body) body();
    body = nullptr;
    bool reset = false;
    {
      const std::lock_guard lock(mutex_);
      running_ = false;
      reset = closed_ && !arming_;
    }
    if (reset) callback_.reset();  // from within itself: does not wait
  }

  std::mutex mutex_;
  bool arming_ = false;
  bool running_ = false;
  bool closed_ = false;
  Fn<void()> body_;
  std::optional<std::stop_callback<Fire>> callback_;
};

// ---- Who waits for whom -------------------------------------------------------------------------

using Key = std::string;  // the bytes of a handle

template <class T>
Key key_of(const Future<T>& future) {
  return Key(reinterpret_cast<const char*>(&future), sizeof future);
}

struct Node {
  Key output;
  std::optional<Key> target;  // what the output waits for; none while fn runs
  bool depended_on = false;   // whether some stage has ever waited for the output
};

// The pending outputs. A node is in here from before its output is shown to anybody until it is
// about to settle; meanwhile the handles in question are alive, so no key is used twice.
class Registry {
 public:
  static Registry& instance() {
    static auto* registry = new Registry;
    return *registry;
  }

  void add(Node& node) {
    const std::lock_guard lock(mutex_);
    nodes_.emplace(node.output, &node);
    mark(*node.target);
  }

  void remove(Node& node) {
    const std::lock_guard lock(mutex_);
    if (auto found = nodes_.find(node.output); found != nodes_.end() && found->second == &node) {
      nodes_.erase(found);
    }
  }

  void forget_target(Node& node) {
    const std::lock_guard lock(mutex_);
    node.target.reset();
  }

  // False: the target waits for node's output, directly or not. Looking and linking are one step,
  // so that of two stages that close a circle together one is told.
  bool link(Node& node, const Key& target) {
    const std::lock_guard lock(mutex_);
    if (target == node.output) return false;
    if (node.depended_on) {
      for (auto found = nodes_.find(target); found != nodes_.end() && found->second->target;) {
        if (*found->second->target == node.output) return false;
        found = nodes_.find(*found->second->target);
      }
    }
    node.target = target;
    mark(target);
    return true;
  }

 private:
  void mark(const Key& target) {
    if (auto found = nodes_.find(target); found != nodes_.end()) found->second->depended_on = true;
  }

  std::mutex mutex_;
  std::unordered_map<Key, Node*> nodes_;
};

// ---- A stage ------------------------------------------------------------------------------------

template <class U, class T>
class Stage : public std::enable_shared_from_this<Stage<U, T>> {
 public:
  // Gets the stage and the result of its input; has to see to it that the stage finishes.
  using Step = Fn<void(Stage*, Result<T>&&)>;

  static Future<U> start(const Context& context, Future<T> future, Step step) {
    auto made = make_future<U>();
    Future<U> output = std::move(made.first);
    if (auto why = context.error()) {
      step = nullptr;
      made.second.reject(*std::move(why));
      if (!refers_to_nothing(future)) future.cancel();
      return output;
    }
    if (refers_to_nothing(future)) {
      step = nullptr;
      made.second.reject(Error{Errc::invalid_argument, "the input refers to no future"});
      return output;
    }
    auto stage = std::make_shared<Stage>(context, std::move(made.second), std::move(step));
    stage->listen(output, future);
    // What is settled already must not wait for a job further out: the caller may be about to wait
    // for the output.
    const UserCode caller;
    future.on_settled([stage](const Result<T>& result) { stage->input_settled(result); });
    return output;
  }

  Stage(const Context& context, Resolver<U> resolver, Step step)
      : context_(context), resolver_(std::move(resolver)), step_(std::move(step)) {}

  ~Stage() { Registry::instance().remove(node_); }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  const Context& context() const { return context_; }

  // The first outcome counts. Whoever calls this holds on to the stage. What the stage was waiting
  // for is cancelled when the context is the reason.
  void finish(Result<U>&& outcome, bool cancel_target_too = false) {
    Step step;
    std::function<void()> cancel_target;
    {
      const std::lock_guard lock(mutex_);
      if (over_) return;
      over_ = true;
      step = std::exchange(step_, nullptr);
      cancel_target = std::exchange(cancel_target_, nullptr);
    }
    Registry::instance().remove(node_);
    on_end_->close();
    on_cancel_->close();
    {
      const UserCode captures;
      step = nullptr;
    }
    try {
      if (outcome) {
        resolver_.resolve(*std::move(outcome));
      } else {
        resolver_.reject(std::move(outcome).error());
      }
    } catch (...) {
      resolver_.reject(error_from_current_exception());
    }
    if (cancel_target_too && cancel_target) cancel_target();
  }

  // For then(): the output settles like this future.
  void follow(Future<U> inner) {
    if (refers_to_nothing(inner)) {
      finish(std::unexpected(Error{Errc::invalid_argument, "fn returned no future"}));
      return;
    }
    if (!Registry::instance().link(node_, key_of(inner))) {
      finish(std::unexpected(
          Error{Errc::invalid_argument, "fn returned a future that waits for its own output"}));
      return;
    }
    bool cancel = false;
    bool over = false;
    {
      const std::lock_guard lock(mutex_);
      over = over_;
      cancel = over_ || cancel_asked_;
      if (!over_) cancel_target_ = [inner] { inner.cancel(); };
    }
    if (cancel) submit([inner] { inner.cancel(); });
    if (over) return;
    inner.on_settled([self = this->shared_from_this()](const Result<U>& result) {
      self->inner_settled(result);
    });
  }

 private:
  void listen(const Future<U>& output, const Future<T>& future) {
    node_.output = key_of(output);
    node_.target = key_of(future);
    cancel_target_ = [future] { future.cancel(); };
    on_end_ = std::make_shared<StopHook>([weak = this->weak_from_this()] {
      if (auto self = weak.lock()) submit([self] { self->context_ended(); });
    });
    on_cancel_ = std::make_shared<StopHook>([weak = this->weak_from_this()] {
      if (auto self = weak.lock()) submit([self] { self->cancel_asked(); });
    });
    Registry::instance().add(node_);
    const Context cancelled = resolver_.context();
    const UserCode caller;
    on_end_->arm(context_.stop_token());
    on_cancel_->arm(cancelled.stop_token());
  }

  void context_ended() { finish(std::unexpected(*context_.error()), true); }

  void cancel_asked() {
    // Under the lock, so that a stage that moves on meanwhile can't be missed.
    const std::lock_guard lock(mutex_);
    if (over_) return;
    cancel_asked_ = true;
    if (cancel_target_) cancel_target_();
  }

  void input_settled(const Result<T>& result) {
    auto self = this->shared_from_this();
    try {
      auto copy = std::make_unique<Result<T>>(result);
      submit([self, copy = std::move(copy)] { self->run(std::move(*copy)); });
    } catch (...) {
      submit(
          [self, error = error_from_current_exception()] { self->finish(std::unexpected(error)); });
    }
  }

  void inner_settled(const Result<U>& result) {
    auto self = this->shared_from_this();
    try {
      auto copy = std::make_unique<Result<U>>(result);
      submit([self, copy = std::move(copy)] {
        if (auto why = self->context_.error()) *copy = std::unexpected(*std::move(why));
        self->finish(std::move(*copy));
      });
    } catch (...) {
      submit(
          [self, error = error_from_current_exception()] { self->finish(std::unexpected(error)); });
    }
  }

  void run(Result<T>&& result) {
    if (auto why = context_.error()) {
      finish(std::unexpected(*std::move(why)));
      return;
    }
    Registry::instance().forget_target(node_);
    Step step;
    std::function<void()> cancel_target;
    {
      const std::lock_guard lock(mutex_);
      if (over_) return;
      step = std::exchange(step_, nullptr);
      cancel_target = std::exchange(cancel_target_, nullptr);
    }
    cancel_target = nullptr;  // lets go of the input
    step(this, std::move(result));
  }

  const Context context_;
  Resolver<U> resolver_;
  Node node_;
  std::shared_ptr<StopHook> on_end_;
  std::shared_ptr<StopHook> on_cancel_;
  std::mutex mutex_;
  bool over_ = false;  // guarded by mutex_, as all below
  bool cancel_asked_ = false;
  Step step_;
  std::function<void()> cancel_target_;
};

}  // namespace pipeline

}  // namespace detail

template <class U, class T>
Future<U> then(const Context& context, Future<T> future,
               std::type_identity_t<Fn<Future<U>(const Context&, T)>> fn) {
  using Stage = detail::pipeline::Stage<U, T>;
  return Stage::start(context, std::move(future),
                      [fn = std::move(fn)](Stage* self, Result<T>&& result) mutable {
                        Stage& stage = *self;
                        if (!result) {
                          fn = nullptr;
                          stage.finish(std::unexpected(std::move(result).error()));
                          return;
                        }
                        Result<Future<U>> inner = [&]() -> Result<Future<U>> {
                          const detail::pipeline::UserCode user;
                          try {
                            return fn(stage.context(), *std::move(result));
                          } catch (...) {
                            return std::unexpected(error_from_current_exception());
                          }
                        }();
                        {
                          const detail::pipeline::UserCode user;
                          fn = nullptr;
                        }
                        if (inner) {
                          stage.follow(*std::move(inner));
                        } else {
                          stage.finish(std::unexpected(std::move(inner).error()));
                        }
                      });
}

template <class U, class T>
Future<U> map(const Context& context, Future<T> future, std::type_identity_t<Fn<Result<U>(T)>> fn) {
  using Stage = detail::pipeline::Stage<U, T>;
  return Stage::start(context, std::move(future),
                      [fn = std::move(fn)](Stage* self, Result<T>&& result) mutable {
                        Stage& stage = *self;
                        if (!result) {
                          fn = nullptr;
                          stage.finish(std::unexpected(std::move(result).error()));
                          return;
                        }
                        Result<U> outcome = [&]() -> Result<U> {
                          const detail::pipeline::UserCode user;
                          try {
                            return fn(*std::move(result));
                          } catch (...) {
                            return std::unexpected(error_from_current_exception());
                          }
                        }();
                        {
                          const detail::pipeline::UserCode user;
                          fn = nullptr;
                        }
                        stage.finish(std::move(outcome));
                      });
}

template <class T>
Future<T> recover(const Context& context, Future<T> future,
                  std::type_identity_t<Fn<Result<T>(Error)>> fn) {
  using Stage = detail::pipeline::Stage<T, T>;
  return Stage::start(context, std::move(future),
                      [fn = std::move(fn)](Stage* self, Result<T>&& result) mutable {
                        Stage& stage = *self;
                        if (result) {
                          fn = nullptr;
                          stage.finish(std::move(result));
                          return;
                        }
                        Result<T> outcome = [&]() -> Result<T> {
                          const detail::pipeline::UserCode user;
                          try {
                            return fn(std::move(result).error());
                          } catch (...) {
                            return std::unexpected(error_from_current_exception());
                          }
                        }();
                        {
                          const detail::pipeline::UserCode user;
                          fn = nullptr;
                        }
                        stage.finish(std::move(outcome));
                      });
}

}  // namespace futures
