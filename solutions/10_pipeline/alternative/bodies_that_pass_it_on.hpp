// Right: continuation-passing: a stage knows neither fn nor which of the three it is; a type-erased
// body gets the outcome and the output and settles it or makes it follow another future. Steps run
// nested, four deep, before they stand in line.
#pragma once

#include <cstddef>
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

#include "future.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

namespace detail {

// Runs the steps of pipelines on the thread that causes them, one after the other.
//
// Settling an output settles the next one, cancelling an output cancels the one before: as calls
// within calls that would be as deep as the pipeline is long. So a step that comes up while another
// one is running here waits in line until that one has returned.
class Trampoline {
 public:
  static void run(Fn<void()> step) {
    Here& here = this_thread();
    if (here.line != nullptr && here.nested == most_nested) {
      here.line->push_back(std::move(step));
      return;
    }
    if (here.line != nullptr) {  // not deep yet: here and now
      ++here.nested;
      try {
        step();
      } catch (...) {
      }
      --here.nested;
      return;
    }
    const int outer = std::exchange(here.nested, 0);
    std::list<Fn<void()>> line;
    here.line = &line;
    for (line.push_back(std::move(step)); !line.empty(); line.pop_front()) {
      try {
        line.front()();
      } catch (...) {  // of an on_settled callback on an output; the steps in line are not to blame
      }
    }
    here.line = nullptr;
    here.nested = outer;
  }

  // While it lives, steps don't wait for the one that is running. For calls of foreign code, which
  // may wait for what it starts: a function that awaits a pipeline of its own would otherwise wait
  // for steps that stand in line behind the function. But not without end: a function that makes a
  // pipeline with a function that makes a pipeline ... is a recursion, too.
  class Aside {
   public:
    Aside() : outer_(this_thread().line) {
      if (++this_thread().depth <= deepest) this_thread().line = nullptr;
    }
    Aside(const Aside&) = delete;
    Aside& operator=(const Aside&) = delete;
    ~Aside() {
      --this_thread().depth;
      this_thread().line = outer_;
    }

   private:
    static constexpr int deepest = 30;
    std::list<Fn<void()>>* const outer_;
  };

 private:
  static constexpr int most_nested = 4;
  struct Here {
    std::list<Fn<void()>>* line = nullptr;
    int nested = 0;
    int depth = 0;
  };
  static Here& this_thread() {
    thread_local Here here;
    return here;
  }
};

// Who waits for whom, to notice that a chain is about to wait for itself. No such circle is without
// the output of a then(), since nothing else starts to wait for a future that is younger than
// itself. So only these are written down, and what is made from them.
//
// Future has no ==. But what makes a handle refer to a future is what is in the handle, so copies
// are known by their bytes; for as long as they are written down here, somebody holds one.
class WaitGraph {
 public:
  using Name = std::string;

  template <class T>
  static Name name_of(const Future<T>& future) {
    return {reinterpret_cast<const char*>(&future), sizeof future};
  }

  static WaitGraph& instance() {
    static auto* graph = new WaitGraph;  // never destroyed: threads may outlive main()
    return *graph;
  }

  template <class T>
  bool knows(const Future<T>& future) const {
    const std::lock_guard lock(mutex_);
    return !nodes_.empty() && nodes_.contains(name_of(future));
  }

  // Notes that `who` waits for `whom` and for nothing else. False, and nothing is noted, when
  // `whom` already waits for `who`, if only because something else does.
  bool waits(const Name& who, const Name& whom) {
    const std::lock_guard lock(mutex_);
    Node& node = nodes_[who];
    if (who == whom || (node.is_awaited && leads(whom, who))) return false;
    node.waits_for = whom;
    if (const auto it = nodes_.find(whom); it != nodes_.end()) it->second.is_awaited = true;
    return true;
  }

  void done(const Name& who) {
    const std::lock_guard lock(mutex_);
    nodes_.erase(who);
  }

 private:
  struct Node {
    Name waits_for;
    bool is_awaited =
        false;  // spares us the walk in a long chain of which nobody can be in a circle
  };

  bool leads(const Name& from, const Name& to) const {
    auto it = nodes_.find(from);
    while (it != nodes_.end() && it->second.waits_for != to) it = nodes_.find(it->second.waits_for);
    return it != nodes_.end();
  }

  mutable std::mutex mutex_;
  std::unordered_map<Name, Node> nodes_;  // guarded by mutex_
};

// The outcome, or the exception that copying it threw. Let out of a callback, that exception would
// be lost, and whoever waits for the output would never know.
template <class T>
Result<T> copied(const Result<T>& outcome) {
  try {
    return outcome;
  } catch (...) {
    return std::unexpected(error_from_current_exception());
  }
}

// What f returns, or what it throws.
template <class R, class F>
Result<R> guarded(F&& f) {
  const Trampoline::Aside aside;
  try {
    return std::forward<F>(f)();
  } catch (...) {
    return std::unexpected(error_from_current_exception());
  }
}

// The writing side of a stage: settles the output, once, by itself when the context ends or the
// output is cancelled.
template <class U>
class Output : public std::enable_shared_from_this<Output<U>> {
 public:
  Output(const Context& context, Resolver<U> resolver, Fn<void()> cancel_source)
      : context_(context),
        resolver_(std::move(resolver)),
        cancel_source_(std::move(cancel_source)) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  virtual ~Output() = default;

  const Context& context() const { return context_; }

  void settle(Result<U> outcome) {
    if (!name_.empty()) WaitGraph::instance().done(name_);
    if (outcome) {
      resolver_.resolve(*std::move(outcome));
    } else {
      resolver_.reject(std::move(outcome).error());
    }
  }

  // The output settles like `inner`.
  void follow(const Future<U>& inner) {
    if (!WaitGraph::instance().waits(name_, WaitGraph::name_of(inner))) {
      return settle(std::unexpected(
          Error{Errc::invalid_argument, "the function returned a future that waits for its own"}));
    }
    if (!exchange_source([inner] { inner.cancel(); })) {
      WaitGraph::instance().done(name_);
      return inner.cancel();
    }
    inner.on_settled([self = this->shared_from_this()](const Result<U>& outcome) {
      Trampoline::run([self, kept = copied(outcome)]() mutable { self->settle(std::move(kept)); });
    });
  }

 protected:
  // With the mutex held; what comes back is destroyed without it.
  virtual std::shared_ptr<void> take_body() = 0;

  bool ended() const { return ended_; }
  std::mutex& mutex() { return mutex_; }

  void name(WaitGraph::Name output, const WaitGraph::Name& upstream) {
    name_ = std::move(output);
    WaitGraph::instance().waits(name_, upstream);
  }

  // May end the stage at once.
  void listen() {
    context_link_.emplace(context_.stop_token(), End{this});
    output_link_.emplace(resolver_.context().stop_token(), End{this});
  }

 private:
  struct End {
    Output* output;
    void operator()() const {
      // One that is just being destroyed has nothing to end any more.
      if (auto self = output->weak_from_this().lock()) {
        Trampoline::run([self = std::move(self)] { self->end(); });
      }
    }
  };

  void end() {
    std::shared_ptr<void> body;
    Fn<void()> cancel_source;
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(ended_, true)) return;
      body = take_body();
      cancel_source = std::exchange(cancel_source_, nullptr);
    }
    body.reset();
    const auto why = context_.error();
    // In this order: what the source answers must not get in first.
    settle(std::unexpected(why ? *why : *resolver_.context().error()));
    cancel_source();
  }

  // False when the stage has ended.
  bool exchange_source(Fn<void()> source) {
    const std::lock_guard lock(mutex_);
    if (!ended_) std::swap(cancel_source_, source);
    return !ended_;
  }

  const Context context_;
  Resolver<U> resolver_;
  WaitGraph::Name name_;  // of the output; empty when it can't be part of a circle
  std::mutex mutex_;
  bool ended_ = false;        // guarded by mutex_, as the next
  Fn<void()> cancel_source_;  // cancels what the stage waits for
  // Last members, so destroyed first. By then nobody can reach what derives from this class,
  // either.
  std::optional<std::stop_callback<End>> context_link_;
  std::optional<std::stop_callback<End>> output_link_;
};

// The reading side: hands the outcome of a Future<T> to the body, once, unless it has ended.
template <class T, class U>
class Stage final : public Output<U> {
 public:
  using Body = Fn<void(Output<U>&, Result<T>)>;

  Stage(const Context& context, const Future<T>& upstream, Body body, Resolver<U> resolver)
      : Output<U>(context, std::move(resolver), [upstream] { upstream.cancel(); }),
        body_(std::make_shared<Body>(std::move(body))) {}

  static Future<U> start(const Context& context, const Future<T>& upstream, bool may_follow,
                         Body body) {
    const Trampoline::Aside aside;  // what needs no waiting is done when the caller gets the output
    auto [output, resolver] = make_future<U>();
    const auto stage =
        std::make_shared<Stage>(context, upstream, std::move(body), std::move(resolver));
    if (may_follow || WaitGraph::instance().knows(upstream)) {
      stage->name(WaitGraph::name_of(output), WaitGraph::name_of(upstream));
    }
    upstream.on_settled([stage](const Result<T>& outcome) {
      Trampoline::run(
          [stage, kept = copied(outcome)]() mutable { stage->arrive(std::move(kept)); });
    });
    // After that, so that an upstream that is settled beats a context that has ended.
    if (!output.settled()) stage->listen();
    return output;
  }

 private:
  void arrive(Result<T> outcome) {
    std::shared_ptr<Body> body;
    {
      const std::lock_guard lock(this->mutex());
      if (this->ended()) return;
      body = std::exchange(body_, nullptr);
    }
    (*body)(*this, std::move(outcome));
  }

  std::shared_ptr<void> take_body() override { return std::exchange(body_, nullptr); }

  std::shared_ptr<Body> body_;  // guarded by the mutex; until it is called, or never will be
};

}  // namespace detail

// What all three have in common:
//
// They return at once and start no thread. The function runs once at most: on the thread that
// settles `future`, or here and now when that is settled. No lock is held meanwhile. It is
// destroyed once it has run, or as soon as it is certain that it never will, and before the output
// is settled. What it throws is an Error of the output, with Errc::exception.
//
// When the context ends, or the output is cancelled, while the output is pending: the output fails
// with the context's error, the function is not called any more, and what was being waited for is
// cancelled, see Future::cancel().

// The output settles like the future that fn returns for the value of `future`, or fails like
// `future` does, and then without fn. It fails with Errc::invalid_argument when the future that fn
// returned waits for the output itself. T and U have to be copyable.
template <class U, class T>
Future<U> then(const Context& context, Future<T> future,
               std::type_identity_t<Fn<Future<U>(const Context&, T)>> fn) {
  return detail::Stage<T, U>::start(
      context, future, true,
      [fn = std::move(fn)](detail::Output<U>& output, Result<T> outcome) mutable {
        auto made = detail::guarded<Future<U>>([&]() -> Result<Future<U>> {
          auto call = std::exchange(fn, nullptr);
          if (!outcome) return std::unexpected(std::move(outcome).error());
          if (const auto why = output.context().error()) return std::unexpected(*why);
          return call(output.context(), *std::move(outcome));
        });
        if (made) {
          output.follow(*made);
        } else {
          output.settle(std::unexpected(std::move(made).error()));
        }
      });
}

// The output is what fn makes of the value of `future`, or fails like `future` does, and then
// without fn. T has to be copyable, U movable.
template <class U, class T>
Future<U> map(const Context& context, Future<T> future, std::type_identity_t<Fn<Result<U>(T)>> fn) {
  return detail::Stage<T, U>::start(
      context, future, false,
      [fn = std::move(fn)](detail::Output<U>& output, Result<T> outcome) mutable {
        output.settle(detail::guarded<U>([&]() -> Result<U> {
          auto call = std::exchange(fn, nullptr);
          if (!outcome) return std::unexpected(std::move(outcome).error());
          if (const auto why = output.context().error()) return std::unexpected(*why);
          return call(*std::move(outcome));
        }));
      });
}

// The output is the value of `future`, and then fn is not called; or what fn makes of the error of
// `future`. An error that comes when the context has ended is nothing to recover from: whoever
// cancels a pipeline does not want another value instead. T has to be copyable.
template <class T>
Future<T> recover(const Context& context, Future<T> future,
                  std::type_identity_t<Fn<Result<T>(Error)>> fn) {
  return detail::Stage<T, T>::start(
      context, future, false,
      [fn = std::move(fn)](detail::Output<T>& output, Result<T> outcome) mutable {
        output.settle(detail::guarded<T>([&]() -> Result<T> {
          auto call = std::exchange(fn, nullptr);
          if (outcome) return std::move(outcome);
          if (const auto why = output.context().error()) return std::unexpected(*why);
          return call(std::move(outcome).error());
        }));
      });
}

}  // namespace futures
