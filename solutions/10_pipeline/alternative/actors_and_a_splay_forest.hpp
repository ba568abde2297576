// Right, and odd: a stage is an actor. Whatever happens to it (value, end of the context, cancel(),
// fn's answer) is a letter in a lock-free mailbox; whoever finds nobody inside reads the letters,
// and does what follows from them when it has left again, so nothing of the caller's ever runs
// inside. Steps nest on the stack; a hundred deep the next one is handed to a helper thread, which
// ends when idle, so that no step ever stands in line behind a function. Who waits for whom is a
// forest of splay trees (link/cut trees): the question "is this a circle?" costs O(log n), not a
// walk.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
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
#include <variant>
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

namespace actors {

// --- Who goes on when the stack is deep
// -------------------------------------------------------------

// Threads that exist while there is something to do for them, and three milliseconds longer. Each
// task has a thread that is free for it: one that waits, or a new one.
class Helpers {
 public:
  // Never destroyed: a helper may outlive main().
  static Helpers& instance() {
    static auto* helpers = new Helpers;
    return *helpers;
  }

  void take_over(Fn<void()> task) {
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
      if (idle_ >= tasks_.size()) {
        wake_.notify_one();
        return;
      }
    }
    try {
      spawn([this] { serve(); });
    } catch (...) {
      // No thread to be had. Deeper down the stack is better than never.
      Fn<void()> mine;
      {
        const std::lock_guard lock(mutex_);
        if (tasks_.empty()) return;
        mine = std::move(tasks_.front());
        tasks_.pop_front();
      }
      mine();
    }
  }

 private:
  void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      if (tasks_.empty()) {
        ++idle_;
        wake_.wait_for(lock, std::chrono::milliseconds(3), [this] { return !tasks_.empty(); });
        --idle_;
        if (tasks_.empty()) return;
      }
      Fn<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      task = nullptr;
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Fn<void()>> tasks_;  // guarded by mutex_
  std::size_t idle_ = 0;          // guarded by mutex_: helpers that wait
};

inline unsigned& depth() {
  thread_local unsigned nested = 0;
  return nested;
}

struct Deeper {
  Deeper() { ++depth(); }
  ~Deeper() { --depth(); }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;
};

template <class Step>
void carry_on(Step step) {
  constexpr unsigned kDeepest = 100;
  if (depth() < kDeepest) {
    const Deeper deeper;
    step();
  } else {
    Helpers::instance().take_over([step = std::move(step)]() mutable {
      const Deeper deeper;
      step();
    });
  }
}

// --- Who waits for whom
// -----------------------------------------------------------------------------

// A pending output. It waits for one other at most, so the outputs are a forest, whose roots wait
// for nobody in it. Paths from a root downwards are kept in splay trees, what is nearer to the root
// on the left; the root of a splay tree points to the parent of its topmost node.
struct Waiter {
  Waiter* up = nullptr;
  Waiter* left = nullptr;
  Waiter* right = nullptr;
  std::shared_ptr<Waiter> waits_for;  // keeps the node, not the future
  std::string name;                   // the bytes of the handle; empty when it has left
};

class Forest {
 public:
  static Forest& instance() {
    static auto* forest = new Forest;
    return *forest;
  }

  std::shared_ptr<Waiter> enter(std::string name, const std::string& input) {
    auto waiter = std::make_shared<Waiter>();
    waiter->name = std::move(name);
    const std::lock_guard lock(mutex_);
    if (const auto found = pending_.find(input); found != pending_.end()) {
      link(waiter, found->second);
    }
    pending_.emplace(waiter->name, waiter);
    return waiter;
  }

  // The waiter waits for another one from now on. False: for itself in the end, so it does not.
  bool turn(const std::shared_ptr<Waiter>& waiter, const std::string& inner) {
    const std::lock_guard lock(mutex_);
    cut(waiter);
    const auto found = pending_.find(inner);
    if (found == pending_.end()) return true;
    if (root(found->second.get()) == waiter.get()) return false;
    link(waiter, found->second);
    return true;
  }

  // What it will be is certain: it waits for nobody any more.
  void leave(const std::shared_ptr<Waiter>& waiter) {
    const std::lock_guard lock(mutex_);
    if (waiter->name.empty()) return;
    cut(waiter);
    pending_.erase(waiter->name);
    waiter->name.clear();
  }

 private:
  static bool topmost(const Waiter* x) {
    return x->up == nullptr || (x->up->left != x && x->up->right != x);
  }

  static void rotate(Waiter* x) {
    Waiter* const parent = x->up;
    Waiter* const grandparent = parent->up;
    if (!topmost(parent))
      (grandparent->left == parent ? grandparent->left : grandparent->right) = x;
    x->up = grandparent;
    if (parent->left == x) {
      parent->left = x->right;
      if (parent->left != nullptr) parent->left->up = parent;
      x->right = parent;
    } else {
      parent->right = x->left;
      if (parent->right != nullptr) parent->right->up = parent;
      x->left = parent;
    }
    parent->up = x;
  }

  static void splay(Waiter* x) {
    while (!topmost(x)) {
      Waiter* const parent = x->up;
      if (!topmost(parent)) {
        const bool same_side = (parent->up->left == parent) == (parent->left == x);
        rotate(same_side ? parent : x);
      }
      rotate(x);
    }
  }

  // Afterwards the path from the root to x is one splay tree, with x on top and nothing to its
  // right.
  static void expose(Waiter* x) {
    Waiter* below = nullptr;
    for (Waiter* y = x; y != nullptr; y = y->up) {
      splay(y);
      y->right = below;
      below = y;
    }
    splay(x);
  }

  static Waiter* root(Waiter* x) {
    expose(x);
    while (x->left != nullptr) x = x->left;
    splay(x);
    return x;
  }

  static void link(const std::shared_ptr<Waiter>& child, const std::shared_ptr<Waiter>& parent) {
    expose(parent.get());
    expose(child.get());  // a root: nothing to its left
    child->up = parent.get();
    child->waits_for = parent;
  }

  static void cut(const std::shared_ptr<Waiter>& child) {
    if (!child->waits_for) return;
    expose(child.get());
    child->left->up = nullptr;
    child->left = nullptr;
    child->waits_for = nullptr;
  }

  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Waiter>>
      pending_;  // guarded by mutex_, the nodes too
};

template <class T>
std::string name_of(const Future<T>& future) {
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

// --- The actor
// --------------------------------------------------------------------------------------

template <class T, class U, class Kind>
class Stage : public std::enable_shared_from_this<Stage<T, U, Kind>> {
 public:
  using Function = typename Kind::Function;

  static Future<U> start(const Context& context, Future<T> input, Function fn) {
    auto [output, resolver] = make_future<U>();
    const auto stage =
        std::make_shared<Stage>(context, input, std::move(fn), std::move(resolver),
                                Forest::instance().enter(name_of(output), name_of(input)));
    stage->listen();
    input.on_settled([stage](const Result<T>& outcome) { stage->hear(outcome); });
    return output;
  }

  Stage(const Context& context, Future<T> input, Function fn, Resolver<U> resolver,
        std::shared_ptr<Waiter> waiter)
      : context_(context),
        resolver_(std::move(resolver)),
        waiter_(std::move(waiter)),
        input_(std::move(input)),
        fn_(std::move(fn)) {}
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  ~Stage() { Forest::instance().leave(waiter_); }  // nobody writes any more: the mailbox is empty

 private:
  struct Ended {};     // the context
  struct Unwanted {};  // cancel() on the output
  struct Heard {       // the input
    Result<T> outcome;
  };
  struct Detour {  // fn has answered with a future
    Future<U> inner;
  };
  struct Answer {  // what the output will be
    Result<U> outcome;
  };
  using Content = std::variant<Ended, Unwanted, Heard, Detour, Answer>;
  struct Letter {
    Content content;
    Letter* next;
  };
  using Deeds = std::vector<Fn<void()>>;
  enum class Phase { waiting, calling, following, over };

  struct Listener {
    std::weak_ptr<Stage> stage;
    bool context;
    // The strong handle lives as long as the call: whoever lets go of the stage meanwhile, on
    // another thread, does not destroy it, and so does not wait for this call to end.
    void operator()() const noexcept {
      if (const auto self = stage.lock()) {
        self->post(context ? Content(Ended{}) : Content(Unwanted{}));
      }
    }
  };

  void listen() {
    context_link_.emplace(context_.stop_token(), Listener{this->weak_from_this(), true});
    output_link_.emplace(resolver_.context().stop_token(), Listener{this->weak_from_this(), false});
  }

  void hear(const Result<T>& outcome) { post(copied<Heard>(outcome)); }

  // The copy is the user's code.
  template <class Letterhead, class V>
  static Content copied(const Result<V>& outcome) {
    try {
      return Letterhead{outcome};
    } catch (...) {
      return Answer{std::unexpected(error_from_current_exception())};
    }
  }

  void post(Content content) {
    auto* letter = new Letter{std::move(content), mailbox_.load()};
    while (!mailbox_.compare_exchange_weak(letter->next, letter)) {
    }
    carry_on([self = this->shared_from_this()] { self->visit(); });
  }

  void visit() {
    if (visits_.fetch_add(1) != 0) return;  // whoever is inside looks again
    Deeds deeds;
    Letter* read = nullptr;
    for (std::size_t seen = visits_.load();;) {
      Letter* fresh = mailbox_.exchange(nullptr);
      Letter* oldest = nullptr;
      while (fresh != nullptr) {
        Letter* const next = std::exchange(fresh->next, oldest);
        oldest = std::exchange(fresh, next);
      }
      while (oldest != nullptr) {
        take(oldest->content, deeds);
        Letter* const next = std::exchange(oldest->next, read);
        read = std::exchange(oldest, next);
      }
      if (visits_.compare_exchange_strong(seen, 0)) break;
    }
    // Outside: others may come in while this goes on.
    while (read != nullptr) delete std::exchange(read, read->next);
    for (auto& deed : deeds) std::exchange(deed, nullptr)();
  }

  // Inside. Only here are the members below `inside` touched. Calls nothing of the user's.
  void take(Content& content, Deeds& deeds) {
    auto* const detour = std::get_if<Detour>(&content);
    if (phase_ == Phase::over) {
      if (detour) deeds.push_back([inner = std::move(detour->inner)] { inner.cancel(); });
      return;
    }
    if (detour) {
      phase_ = Phase::following;
      inner_ = std::move(detour->inner);
    }
    // Before anything else, and whatever the letter says: it may have come before that news.
    if (context_.done()) {
      end_with_context(deeds);
      return;
    }
    if (std::holds_alternative<Unwanted>(content)) {
      unwanted_ = true;
      cancel_source(deeds);
    } else if (auto* heard = std::get_if<Heard>(&content)) {
      // The input has nothing more to say; its handle goes away outside.
      deeds.push_back([input = std::exchange(input_, {})] {});
      if (Kind::wants(heard->outcome)) {
        phase_ = Phase::calling;
        deeds.push_back([this, fn = std::exchange(fn_, nullptr),
                         outcome = std::move(heard->outcome)]() mutable {
          call(std::move(fn), std::move(outcome));
        });
      } else {
        finish(Kind::pass(std::move(heard->outcome)), deeds);
      }
    } else if (detour) {
      if (Forest::instance().turn(waiter_, name_of(inner_))) {
        if (unwanted_) cancel_source(deeds);
        deeds.push_back([this, inner = inner_] { follow(inner); });
      } else {
        finish(
            std::unexpected(Error{Errc::invalid_argument,
                                  "the function returned a future that waits for its own output"}),
            deeds);
      }
    } else if (auto* answer = std::get_if<Answer>(&content)) {
      finish(std::move(answer->outcome), deeds);
    }
  }

  void cancel_source(Deeds& deeds) {
    if (phase_ == Phase::waiting) deeds.push_back([input = input_] { input.cancel(); });
    if (phase_ == Phase::following) deeds.push_back([inner = inner_] { inner.cancel(); });
  }

  void finish(Result<U> outcome, Deeds& deeds) {
    Forest::instance().leave(waiter_);
    phase_ = Phase::over;
    deeds.push_back([fn = std::exchange(fn_, nullptr)] {});
    deeds.push_back([input = std::exchange(input_, {}), inner = std::exchange(inner_, {})] {});
    deeds.push_back([this, outcome = std::move(outcome)]() mutable { settle(std::move(outcome)); });
  }

  // The output first: what it waited for may answer as soon as it is cancelled, and the function's
  // captures may take their time to go.
  void end_with_context(Deeds& deeds) {
    Forest::instance().leave(waiter_);
    deeds.push_back([this] { settle(std::unexpected(*context_.error())); });
    cancel_source(deeds);
    phase_ = Phase::over;
    deeds.push_back([fn = std::exchange(fn_, nullptr)] {});
    deeds.push_back([input = std::exchange(input_, {}), inner = std::exchange(inner_, {})] {});
  }

  // Outside, all of the rest.
  void call(Function fn, std::optional<Result<T>> outcome) {
    Content reply = Ended{};
    if (!context_.done()) {
      try {
        if constexpr (Kind::follows) {
          reply = Detour{Kind::apply(fn, context_, *std::move(outcome))};
        } else {
          reply = Answer{Kind::apply(fn, context_, *std::move(outcome))};
        }
      } catch (...) {
        reply = Answer{std::unexpected(error_from_current_exception())};
      }
    }
    fn = nullptr;
    outcome.reset();
    post(std::move(reply));
  }

  void follow(const Future<U>& inner) {
    if constexpr (Kind::follows) {
      inner.on_settled([self = this->shared_from_this()](const Result<U>& outcome) {
        self->post(copied<Answer>(outcome));
      });
    }
  }

  void settle(Result<U> outcome) {
    if (outcome) {
      resolver_.resolve(*std::move(outcome));
    } else {
      resolver_.reject(std::move(outcome).error());
    }
  }

  const Context context_;
  Resolver<U> resolver_;
  const std::shared_ptr<Waiter> waiter_;
  std::atomic<Letter*> mailbox_{nullptr};
  std::atomic<std::size_t> visits_{0};
  // inside:
  Phase phase_ = Phase::waiting;
  bool unwanted_ = false;
  Future<T> input_;
  Future<U> inner_;
  Function fn_;
  // Set before anybody else can have finished with the stage, then left alone until it goes.
  std::optional<std::stop_callback<Listener>> context_link_;
  std::optional<std::stop_callback<Listener>> output_link_;
};

}  // namespace actors
}  // namespace detail

template <class U, class T>
Future<U> then(const Context& context, Future<T> future,
               std::type_identity_t<Fn<Future<U>(const Context&, T)>> fn) {
  return detail::actors::Stage<T, U, detail::actors::Then<T, U>>::start(context, std::move(future),
                                                                        std::move(fn));
}

template <class U, class T>
Future<U> map(const Context& context, Future<T> future, std::type_identity_t<Fn<Result<U>(T)>> fn) {
  return detail::actors::Stage<T, U, detail::actors::Map<T, U>>::start(context, std::move(future),
                                                                       std::move(fn));
}

template <class T>
Future<T> recover(const Context& context, Future<T> future,
                  std::type_identity_t<Fn<Result<T>(Error)>> fn) {
  return detail::actors::Stage<T, T, detail::actors::Recover<T>>::start(context, std::move(future),
                                                                        std::move(fn));
}

}  // namespace futures
