// Wrong: looks for a circle in one turn of the lock and writes down who waits for whom in the next;
// bites when two functions on two threads return each other's output at the same moment: neither
// sees the circle, and both outputs stay pending for ever.
#pragma once

#include <chrono>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>

#include "future.hpp"  // task 5: yours when it passes, else the reference
#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

namespace detail {

// Given. Whether two handles refer to the same future.
template <class T>
bool same_future(const Future<T>& a, const Future<T>& b) {
  return std::memcmp(static_cast<const void*>(&a), static_cast<const void*>(&b), sizeof a) == 0;
}

// What tells one future from all others that are alive, whatever its type.
template <class T>
std::string future_key(const Future<T>& future) {
  return std::string(static_cast<const char*>(static_cast<const void*>(&future)), sizeof future);
}

// An output, as the search for circles sees it.
struct PipeNode {
  std::string key;
  bool done = false;                      // guarded by the graph's mutex, as all below
  std::shared_ptr<PipeNode> next;         // the output it waits for
  std::unordered_set<PipeNode*> waiting;  // the outputs that wait for it
};
using NodePtr = std::shared_ptr<PipeNode>;

// Who waits for whom. A future says nothing of where it came from, so it is written down here, for
// as long as an output is alive and unsettled (and its settling is under way).
class PipeGraph {
 public:
  static PipeGraph& instance() {
    static auto* graph = new PipeGraph;  // never destroyed: threads may outlive main()
    return *graph;
  }

  NodePtr add(std::string key, const std::string& waits_for, NodePtr& input) {
    auto node = std::make_shared<PipeNode>();
    node->key = std::move(key);
    const auto lock = enter();
    input = look_up(waits_for);
    if (input && !input->done) link(node, input);
    nodes_[node->key] = node;
    return node;
  }

  NodePtr find(const std::string& key) {
    const auto lock = enter();
    return look_up(key);
  }

  // Notes that node waits for target from now on. False: that would close a circle.
  bool join(const NodePtr& node, const NodePtr& target) {
    if (!target) return true;
    {
      const auto lock = enter();
      if (waits_for(target.get(), node.get())) return false;
    }
    const auto lock = enter();
    if (!target->done && !node->done) link(node, target);
    return true;
  }

  // The output has got its result: nobody can wait for it in vain.
  void finish(const NodePtr& node) {
    NodePtr next;  // put away outside of the lock
    const auto lock = enter();
    node->done = true;
    next = unlink(node);
  }

  // What the output waited for is there.
  void arrived(const NodePtr& node) {
    NodePtr next;
    const auto lock = enter();
    next = unlink(node);
  }

  void remove(const NodePtr& node) {
    const auto lock = enter();
    const auto at = nodes_.find(node->key);
    if (at != nodes_.end() && at->second == node) nodes_.erase(at);
  }

 private:
  std::unique_lock<std::mutex> enter() { return std::unique_lock(mutex_); }

  NodePtr look_up(const std::string& key) const {
    const auto at = nodes_.find(key);
    return at == nodes_.end() ? nullptr : at->second;
  }

  static void link(const NodePtr& node, const NodePtr& next) {
    next->waiting.insert(node.get());
    node->next = next;
  }

  static NodePtr unlink(const NodePtr& node) {
    if (node->next) node->next->waiting.erase(node.get());
    return std::move(node->next);
  }

  // Whether target waits for node, in whatever many steps. One step down from target and one up
  // from node in turn: it takes no longer than the shorter of the two sides.
  static bool waits_for(const PipeNode* target, const PipeNode* node) {
    std::deque<const PipeNode*> above{node};
    const PipeNode* below = target;
    while (true) {
      if (below == node) return !node->done;
      if (!below || below->done || above.empty()) return false;
      below = below->next.get();
      const auto* one = above.front();
      above.pop_front();
      for (const auto* other : one->waiting) {
        if (other->done) continue;
        if (other == target) return true;
        above.push_back(other);
      }
    }
  }

  std::mutex mutex_;
  std::unordered_map<std::string, NodePtr> nodes_;
};

// A thread that moves results (or cancellations) from stage to stage does it in a loop, one frame
// per loop. `subject` is the output that this loop is settling or cancelling in this moment: what
// stages do in direct consequence of that is put into the queue. Everything else happens at once,
// above all what the functions and callbacks of users bring about.
struct PipeFrame {
  const void* subject = nullptr;
  std::deque<Fn<void()>> queue;
  static PipeFrame*& current() {
    static thread_local PipeFrame* frame = nullptr;
    return frame;
  }

  // Makes a frame the current one for as long as it is in use.
  struct Use {
    explicit Use(PipeFrame& frame) : outer(std::exchange(current(), &frame)) {}
    ~Use() { current() = outer; }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    PipeFrame* outer;
  };
};

// The work of a loop's own thread for as long as one thing is settled or cancelled.
class PipeSubject {
 public:
  explicit PipeSubject(const void* subject)
      : frame_(PipeFrame::current()), before_(std::exchange(frame_->subject, subject)) {}
  ~PipeSubject() { frame_->subject = before_; }
  PipeSubject(const PipeSubject&) = delete;
  PipeSubject& operator=(const PipeSubject&) = delete;

 private:
  PipeFrame* frame_;
  const void* before_;
};

// Hides the loop from what is called meanwhile.
class PipeAside {
 public:
  PipeAside() : before_(std::exchange(PipeFrame::current(), nullptr)) {}
  ~PipeAside() { PipeFrame::current() = before_; }
  PipeAside(const PipeAside&) = delete;
  PipeAside& operator=(const PipeAside&) = delete;

 private:
  PipeFrame* before_;
};

template <class Action>
void pipe_run(const void* one, const void* other, Action action) {
  auto* const current = PipeFrame::current();
  if (current && current->subject && (current->subject == one || current->subject == other)) {
    current->queue.push_back(std::move(action));
    return;
  }
  PipeFrame frame;
  const PipeFrame::Use use(frame);
  {
    Action first = std::move(action);
    first();
  }
  while (!frame.queue.empty()) {
    auto next = std::move(frame.queue.front());
    frame.queue.pop_front();
    next();
  }
}

// What a function made of a result: the output's result, or a future that will have it.
template <class U>
using PipeOutcome = std::variant<Result<U>, Future<U>>;

template <class T, class U>
class Stage : public std::enable_shared_from_this<Stage<T, U>> {
 public:
  using Step = Fn<PipeOutcome<U>(const Context&, const Result<T>&)>;

  static Future<U> make(const Context& context, Future<T> input, Step step) {
    auto [output, resolver] = make_future<U>();
    auto self =
        std::make_shared<Stage>(context, input, std::move(step), output, std::move(resolver));
    self->start(std::move(input));
    return output;
  }

  Stage(const Context& context, const Future<T>& input, Step step, const Future<U>& output,
        Resolver<U> resolver)
      : context_(context),
        step_(std::move(step)),
        input_(input),
        output_(output),
        resolver_(std::move(resolver)),
        node_(PipeGraph::instance().add(future_key(output), future_key(input), input_node_)) {}
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  ~Stage() {
    PipeGraph::instance().finish(node_);
    PipeGraph::instance().remove(node_);
  }

 private:
  enum class Phase { waiting, running, inner, done };

  // Told by a stop_callback. It lives as long as the stage, whose destructor has to wait for it:
  // it holds the stage meanwhile, so that it is the one to destroy it.
  struct OnCancel {
    std::weak_ptr<Stage> stage;
    void operator()() const {
      if (auto self = stage.lock()) {
        auto* const raw = self.get();
        pipe_run(raw->node_.get(), nullptr, [self = std::move(self)] { self->cancelled(); });
      }
    }
  };
  struct OnEnd {
    std::weak_ptr<Stage> stage;
    void operator()() const {
      if (auto self = stage.lock()) {
        pipe_run(nullptr, nullptr, [self = std::move(self)] { self->context_ended(); });
      }
    }
  };

  void start(Future<T> input) {
    if (same_future(input, Future<T>())) {
      // Nothing to wait for. The end of the context comes first, as ever.
      const PipeAside aside;
      pipe_run(nullptr, nullptr, [self = this->shared_from_this()] {
        if (self->context_.done()) return self->context_ended();
        self->fail(Error{Errc::invalid_argument, "the input is an empty future"});
      });
      return;
    }
    const PipeAside aside;  // who makes a stage of a settled future gets a settled one
    cancel_link_.emplace(resolver_.context().stop_token(), OnCancel{this->weak_from_this()});
    if (context_.stop_token().stop_possible()) {
      end_link_.emplace(context_.stop_token(), OnEnd{this->weak_from_this()});
    }
    if (is_done()) return;
    input.on_settled([self = this->shared_from_this()](const Result<T>& result) {
      auto* const raw = self.get();
      if (raw->is_done()) return;
      // The result is the future's own, and the queue may come later: a handle keeps it.
      pipe_run(raw->input_node_.get(), nullptr,
               [self, kept = keep(result)]() mutable { self->input_settled(kept); });
    });
  }

  static std::shared_ptr<const Result<T>> keep(const Result<T>& result) {
    if constexpr (std::is_copy_constructible_v<T>) {
      try {
        return std::make_shared<const Result<T>>(result);
      } catch (...) {
        return std::make_shared<const Result<T>>(std::unexpect, error_from_current_exception());
      }
    } else {
      return result ? std::make_shared<const Result<T>>(
                          std::unexpect, Error{Errc::invalid_argument, "can't be copied"})
                    : std::make_shared<const Result<T>>(std::unexpect, result.error());
    }
  }

  bool is_done() {
    const auto lock = enter();
    return phase_ == Phase::done;
  }

  void input_settled(const std::shared_ptr<const Result<T>>& result) {
    Step step;
    Future<T> input;
    {
      const auto lock = enter();
      if (phase_ != Phase::waiting) return;
      phase_ = Phase::running;
      step = std::move(step_);
      input = std::exchange(input_, Future<T>());
    }
    PipeGraph::instance().arrived(node_);
    if (context_.done()) {
      step = nullptr;
      fail(*context_.error());
      return;
    }
    auto outcome = [&]() -> PipeOutcome<U> {
      const PipeAside aside;
      try {
        return step(context_, *result);
      } catch (...) {
        return PipeOutcome<U>(std::in_place_index<0>, std::unexpect,
                              error_from_current_exception());
      }
    }();
    step = nullptr;
    if (auto* inner = std::get_if<1>(&outcome)) {
      wait_for(std::move(*inner));
    } else if (context_.done()) {
      fail(*context_.error());
    } else {
      settle(std::move(std::get<0>(outcome)));
    }
  }

  void wait_for(Future<U> inner) {
    if (same_future(inner, Future<U>())) {
      if (context_.done()) return fail(*context_.error());
      return fail(Error{Errc::invalid_argument, "the function returned an empty future"});
    }
    auto target = PipeGraph::instance().find(future_key(inner));
    if (context_.done()) {
      fail(*context_.error());
      cancel_future(inner, target.get());
      return;
    }
    if (!PipeGraph::instance().join(node_, target)) {
      fail(Error{Errc::invalid_argument,
                 "the function returned a future that waits for its output"});
      return;
    }
    bool cancel = false;
    bool late = false;
    {
      const auto lock = enter();
      late = phase_ == Phase::done;
      if (!late) {
        phase_ = Phase::inner;
        inner_ = inner;
        inner_node_ = target;
        cancel = cancel_wanted_;
      }
    }
    if (late || cancel) cancel_future(inner, target.get());
    if (late) return;
    // Settled already: that is a step of this very loop, not a loop within it.
    const PipeSubject subject(this);
    inner.on_settled([self = this->shared_from_this(), target](const Result<U>& result) {
      auto* const raw = self.get();
      if (raw->is_done()) return;
      pipe_run(target.get(), raw,
               [self, kept = Stage<U, T>::keep_for(result)] { self->inner_settled(kept); });
    });
  }

 public:
  static std::shared_ptr<const Result<T>> keep_for(const Result<T>& result) { return keep(result); }

 private:
  void inner_settled(const std::shared_ptr<const Result<U>>& result) {
    if (context_.done()) return fail(*context_.error());
    if constexpr (std::is_copy_constructible_v<U>) {
      std::optional<Result<U>> copy;
      try {
        copy.emplace(*result);
      } catch (...) {
        copy.emplace(std::unexpect, error_from_current_exception());
      }
      settle(std::move(*copy));
    } else {
      fail(result->error());
    }
  }

  void context_ended() {
    Step step;
    Future<T> input;
    Future<U> inner;
    NodePtr target;
    Phase phase;
    {
      const auto lock = enter();
      phase = std::exchange(phase_, Phase::done);
      if (phase == Phase::done) return;
      step = std::move(step_);
      input = std::exchange(input_, Future<T>());
      inner = std::exchange(inner_, Future<U>());
      target = std::exchange(inner_node_, nullptr);
    }
    step = nullptr;
    tell(Result<U>(std::unexpect, *context_.error()));
    if (phase == Phase::waiting) cancel_future(input, input_node_.get());
    if (phase == Phase::inner) cancel_future(inner, target.get());
  }

  // Somebody has cancelled the output.
  void cancelled() {
    Future<T> input;
    Future<U> inner;
    NodePtr target;
    Phase phase;
    {
      const auto lock = enter();
      phase = phase_;
      cancel_wanted_ = true;
      input = input_;
      inner = inner_;
      target = inner_node_;
    }
    if (phase == Phase::waiting) cancel_future(input, input_node_.get());
    if (phase == Phase::inner) cancel_future(inner, target.get());
  }

  void fail(Error error) { settle(Result<U>(std::unexpect, std::move(error))); }

  void settle(Result<U> result) {
    Step step;
    Future<T> input;
    Future<U> inner;
    NodePtr target;
    {
      const auto lock = enter();
      if (std::exchange(phase_, Phase::done) == Phase::done) return;
      step = std::move(step_);
      input = std::exchange(input_, Future<T>());
      inner = std::exchange(inner_, Future<U>());
      target = std::exchange(inner_node_, nullptr);
    }
    step = nullptr;
    tell(std::move(result));
  }

  // Once, by whoever made phase_ done.
  void tell(Result<U> result) {
    PipeGraph::instance().finish(node_);
    {
      const PipeSubject subject(node_.get());
      try {
        if (result) {
          resolver_.resolve(*std::move(result));
        } else {
          resolver_.reject(std::move(result).error());
        }
      } catch (...) {  // a value that throws when it is moved
        resolver_.reject(error_from_current_exception());
      }
    }
    PipeGraph::instance().remove(node_);
  }

  template <class V>
  static void cancel_future(const Future<V>& future, const PipeNode* node) {
    if (same_future(future, Future<V>())) return;
    const PipeSubject subject(node);
    future.cancel();
  }

  std::unique_lock<std::mutex> enter() { return std::unique_lock(mutex_); }

  const Context context_;
  std::mutex mutex_;
  Phase phase_ = Phase::waiting;  // guarded by mutex_, as all below
  bool cancel_wanted_ = false;
  Step step_;
  Future<T> input_;
  Future<U> inner_;
  NodePtr inner_node_;

  NodePtr input_node_;      // constant, as node_ and output_ are
  const Future<U> output_;  // keeps the key of node_ from being given to another future
  Resolver<U> resolver_;
  const NodePtr node_;
  // Last, so destroyed first.
  std::optional<std::stop_callback<OnCancel>> cancel_link_;
  std::optional<std::stop_callback<OnEnd>> end_link_;
};

}  // namespace detail

template <class U, class T>
Future<U> then(const Context& context, Future<T> future,
               std::type_identity_t<Fn<Future<U>(const Context&, T)>> fn) {
  return detail::Stage<T, U>::make(
      context, std::move(future),
      [fn = std::move(fn)](const Context& c,
                           const Result<T>& result) mutable -> detail::PipeOutcome<U> {
        if (!result) {
          return detail::PipeOutcome<U>(std::in_place_index<0>, std::unexpect, result.error());
        }
        return detail::PipeOutcome<U>(std::in_place_index<1>, fn(c, T(*result)));
      });
}

template <class U, class T>
Future<U> map(const Context& context, Future<T> future, std::type_identity_t<Fn<Result<U>(T)>> fn) {
  return detail::Stage<T, U>::make(
      context, std::move(future),
      [fn = std::move(fn)](const Context&,
                           const Result<T>& result) mutable -> detail::PipeOutcome<U> {
        if (!result) {
          return detail::PipeOutcome<U>(std::in_place_index<0>, std::unexpect, result.error());
        }
        return detail::PipeOutcome<U>(std::in_place_index<0>, fn(T(*result)));
      });
}

template <class T>
Future<T> recover(const Context& context, Future<T> future,
                  std::type_identity_t<Fn<Result<T>(Error)>> fn) {
  return detail::Stage<T, T>::make(
      context, std::move(future),
      [fn = std::move(fn)](const Context&,
                           const Result<T>& result) mutable -> detail::PipeOutcome<T> {
        if (result) return detail::PipeOutcome<T>(std::in_place_index<0>, result);
        return detail::PipeOutcome<T>(std::in_place_index<0>, fn(Error(result.error())));
      });
}

}  // namespace futures
