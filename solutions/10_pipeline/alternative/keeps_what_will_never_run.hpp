// Right: a cancelled stage keeps its function until the future it waited for settles.
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
      } catch (...) {
      }
    }
    here.line = nullptr;
  }

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

class WaitGraph {
 public:
  using Name = std::string;

  template <class T>
  static Name name_of(const Future<T>& future) {
    return {reinterpret_cast<const char*>(&future), sizeof future};
  }

  static WaitGraph& instance() {
    static auto* graph = new WaitGraph;
    return *graph;
  }

  template <class T>
  bool knows(const Future<T>& future) const {
    const std::lock_guard lock(mutex_);
    return !nodes_.empty() && nodes_.contains(name_of(future));
  }

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
    bool is_awaited = false;
  };

  bool leads(const Name& from, const Name& to) const {
    auto it = nodes_.find(from);
    while (it != nodes_.end() && it->second.waits_for != to) it = nodes_.find(it->second.waits_for);
    return it != nodes_.end();
  }

  mutable std::mutex mutex_;
  std::unordered_map<Name, Node> nodes_;
};

template <class T>
Result<T> copied(const Result<T>& outcome) {
  try {
    return outcome;
  } catch (...) {
    return std::unexpected(error_from_current_exception());
  }
}

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
    const Trampoline::Aside aside;
    auto [output, resolver] = make_future<U>();
    const auto stage =
        std::make_shared<Stage>(context, upstream, std::move(function), apply, std::move(resolver));
    stage->join_wait_graph(output, upstream);
    upstream.on_settled([stage](const Result<T>& outcome) {
      Trampoline::run(
          [stage, kept = copied(outcome)]() mutable { stage->arrive(std::move(kept)); });
    });
    if (!output.settled()) stage->listen();
    return output;
  }

 private:
  enum class Phase : unsigned char { waiting, called, ended };

  struct End {
    Stage* stage;
    void operator()() const {
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
      cancel_source = std::exchange(cancel_source_, nullptr);
    }
    function = nullptr;
    const auto why = context_.error();
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
  WaitGraph::Name name_;
  std::mutex mutex_;
  Phase phase_ = Phase::waiting;
  Function function_;
  Fn<void()> cancel_source_;
  std::optional<std::stop_callback<End>> context_link_;
  std::optional<std::stop_callback<End>> output_link_;
};

}  // namespace detail

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
