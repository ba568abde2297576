// Wrong: a future that waits for anything is taken for one that waits for the output; bites when
// a function returns a pipeline still under way, and somebody waits for the output: it fails.
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
    if (here.line != nullptr) {
      here.line->push_back(std::move(step));
      return;
    }
    std::list<Fn<void()>> line;
    here.line = &line;
    for (line.push_back(std::move(step)); !line.empty(); line.pop_front()) {
      try {
        line.front()();
      } catch (...) {  // of an on_settled callback on an output; the steps in line are not to blame
      }
    }
    here.line = nullptr;
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
  struct Here {
    std::list<Fn<void()>>* line = nullptr;
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

  bool leads(const Name& from, const Name&) const { return nodes_.contains(from); }

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

// One stage: waits for a Future<T>, applies a function, settles a Future<U>. `Made` is what the
// function makes: a U, or a Future<U> to wait for next.
//
// A stage is owned by the callback in the future that it waits for. It lasts until that one
// settles, also when its own output was settled long before, but holds on to nothing then. Who gets
// to settle the output is up to the resolver: the first one. The mutex decides who gets the
// function, whether to call it or to destroy it.
template <class T, class U, class Function, class Made>
class Stage : public std::enable_shared_from_this<Stage<T, U, Function, Made>> {
 public:
  using Apply = Result<Made> (*)(Function, const Context&, Result<T>);

  Stage(const Context& context, const Future<T>& upstream, Function function, Apply apply,
        Resolver<U> resolver)
      : context_(context),
        resolver_(std::move(resolver)),
        apply_(apply),
        function_(std::move(function)),
        cancel_source_([upstream] { upstream.cancel(); }) {}

  static Future<U> start(const Context& context, const Future<T>& upstream, Function function,
                         Apply apply) {
    const Trampoline::Aside aside;  // what needs no waiting is done when the caller gets the output
    auto [output, resolver] = make_future<U>();
    const auto stage =
        std::make_shared<Stage>(context, upstream, std::move(function), apply, std::move(resolver));
    stage->join_wait_graph(output, upstream);
    upstream.on_settled([stage](const Result<T>& outcome) {
      Trampoline::run(
          [stage, kept = copied(outcome)]() mutable { stage->arrive(std::move(kept)); });
    });
    // After that, so that an upstream that is settled beats a context that has ended.
    if (!output.settled()) stage->listen();
    return output;
  }

 private:
  enum class Phase : unsigned char { waiting, called, ended };

  // The context has ended, or the output was cancelled.
  struct End {
    Stage* stage;
    void operator()() const {
      // A stage that is just being destroyed has nothing to end any more.
      if (auto self = stage->weak_from_this().lock()) {
        Trampoline::run([self = std::move(self)] { self->end(); });
      }
    }
  };

  void join_wait_graph(const Future<U>& output, const Future<T>& upstream) {
    auto& graph = WaitGraph::instance();
    if (!std::is_same_v<Made, Future<U>> && !graph.knows(upstream)) return;
    name_ = WaitGraph::name_of(output);
    graph.waits(name_, WaitGraph::name_of(upstream));
  }

  // May call end() at once.
  void listen() {
    context_link_.emplace(context_.stop_token(), End{this});
    output_link_.emplace(resolver_.context().stop_token(), End{this});
  }

  void arrive(Result<T> outcome) {
    Function function;
    {
      const std::lock_guard lock(mutex_);
      if (phase_ != Phase::waiting) return;
      phase_ = Phase::called;
      function = std::exchange(function_, nullptr);
    }
    go_on_with([&]() -> Result<Made> {
      const Trampoline::Aside aside;
      try {
        return apply_(std::move(function), context_, std::move(outcome));
      } catch (...) {
        return std::unexpected(error_from_current_exception());
      }
    }());
  }

  void end() {
    Function function;
    Fn<void()> cancel_source;
    {
      const std::lock_guard lock(mutex_);
      if (phase_ == Phase::ended) return;
      phase_ = Phase::ended;
      function = std::exchange(function_, nullptr);
      cancel_source = std::exchange(cancel_source_, nullptr);
    }
    function = nullptr;
    const auto why = context_.error();
    // In this order: what the source answers must not get in first.
    settle(std::unexpected(why ? *why : *resolver_.context().error()));
    cancel_source();
  }

  void go_on_with(Result<U> made) { settle(std::move(made)); }

  void go_on_with(Result<Future<U>> made) {
    if (!made) return settle(std::unexpected(std::move(made).error()));
    const Future<U>& inner = *made;
    if (!WaitGraph::instance().waits(name_, WaitGraph::name_of(inner))) {
      return settle(std::unexpected(
          Error{Errc::invalid_argument, "the function returned a future that waits for its own"}));
    }
    if (!wait_for(inner)) {
      WaitGraph::instance().done(name_);
      return inner.cancel();
    }
    inner.on_settled([self = this->shared_from_this()](const Result<U>& outcome) {
      Trampoline::run([self, kept = copied(outcome)]() mutable { self->settle(std::move(kept)); });
    });
  }

  // False when the stage was ended while its function ran.
  bool wait_for(const Future<U>& inner) {
    Fn<void()> cancel_source = [inner] { inner.cancel(); };
    const std::lock_guard lock(mutex_);
    if (phase_ == Phase::ended) return false;
    std::swap(cancel_source_, cancel_source);
    return true;
  }

  void settle(Result<U> outcome) {
    if (!name_.empty()) WaitGraph::instance().done(name_);
    if (outcome) {
      resolver_.resolve(*std::move(outcome));
    } else {
      resolver_.reject(std::move(outcome).error());
    }
  }

  const Context context_;
  Resolver<U> resolver_;
  const Apply apply_;
  WaitGraph::Name name_;  // of the output; empty when it can't be part of a circle
  std::mutex mutex_;
  Phase phase_ = Phase::waiting;  // guarded by mutex_, as all below
  Function function_;             // until it is called, or never will be
  Fn<void()> cancel_source_;      // cancels what the stage waits for
  // Last members, so destroyed first. Only the destructor lets go of them: anyone else would have
  // to wait for an End that runs on another thread, and hold no lock that it wants.
  std::optional<std::stop_callback<End>> context_link_;
  std::optional<std::stop_callback<End>> output_link_;
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
  using Function = Fn<Future<U>(const Context&, T)>;
  return detail::Stage<T, U, Function, Future<U>>::start(
      context, future, std::move(fn),
      [](Function call, const Context& until, Result<T> outcome) -> Result<Future<U>> {
        if (!outcome) return std::unexpected(std::move(outcome).error());
        if (const auto why = until.error()) return std::unexpected(*why);
        return call(until, *std::move(outcome));
      });
}

// The output is what fn makes of the value of `future`, or fails like `future` does, and then
// without fn. T has to be copyable, U movable.
template <class U, class T>
Future<U> map(const Context& context, Future<T> future, std::type_identity_t<Fn<Result<U>(T)>> fn) {
  using Function = Fn<Result<U>(T)>;
  return detail::Stage<T, U, Function, U>::start(
      context, future, std::move(fn),
      [](Function call, const Context& until, Result<T> outcome) -> Result<U> {
        if (!outcome) return std::unexpected(std::move(outcome).error());
        if (const auto why = until.error()) return std::unexpected(*why);
        return call(*std::move(outcome));
      });
}

// The output is the value of `future`, and then fn is not called; or what fn makes of the error of
// `future`. An error that comes when the context has ended is nothing to recover from: whoever
// cancels a pipeline does not want another value instead. T has to be copyable.
template <class T>
Future<T> recover(const Context& context, Future<T> future,
                  std::type_identity_t<Fn<Result<T>(Error)>> fn) {
  using Function = Fn<Result<T>(Error)>;
  return detail::Stage<T, T, Function, T>::start(
      context, future, std::move(fn),
      [](Function call, const Context& until, Result<T> outcome) -> Result<T> {
        if (outcome) return outcome;
        if (const auto why = until.error()) return std::unexpected(*why);
        return call(std::move(outcome).error());
      });
}

}  // namespace futures
