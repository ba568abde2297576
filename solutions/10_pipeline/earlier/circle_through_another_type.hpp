// Wrong: who waits for whom is noted for each type by itself; bites when a circle leads through a
// stage of another type: it never settles.
#pragma once

#include <atomic>
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
#include <vector>

#include "future.hpp"
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

template <class T>
bool refers_to_nothing(const Future<T>& future) {
  return same_future(future, Future<T>());
}

// The bytes of a handle: who it is.
template <class T>
std::string name_of(const Future<T>& future) {
  std::string name(sizeof future, '\0');
  std::memcpy(name.data(), static_cast<const void*>(&future), sizeof future);
  return name;
}

// --- Who waits for whom --------------------------------------------------------------------------

// A pending output. Everything in it belongs to the graph's mutex.
struct GraphNode {
  std::uint64_t id = 0;
  std::string name;
  bool listed = false;
  GraphNode* upstream = nullptr;  // the output that this one waits for, if it is one
  GraphNode* first_child = nullptr;
  GraphNode* left = nullptr;
  GraphNode* right = nullptr;
};

inline std::uint64_t next_node_id() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

// All pending outputs of one type. Never destroyed: threads may outlive main().
template <class T>
class Graph {
 public:
  static Graph& instance() {
    static auto* graph = new Graph;
    return *graph;
  }

  void add(GraphNode& node, std::string name) {
    const std::lock_guard lock(mutex_);
    node.id = next_node_id();
    node.name = std::move(name);
    node.listed = true;
    nodes_.emplace(node.name, &node);
  }

  // From now on node waits for what has this name. nullopt: that can't settle before node does.
  // Else the id of the output with that name, 0 when there is none.
  std::optional<std::uint64_t> link(GraphNode& node, const std::string& name) {
    const std::lock_guard lock(mutex_);
    unhook(node);
    const auto at = nodes_.find(name);
    if (!node.listed || at == nodes_.end()) return 0;
    auto* upstream = at->second;
    if (depends(*upstream, node)) return std::nullopt;
    node.upstream = upstream;
    node.right = upstream->first_child;
    if (node.right) node.right->left = &node;
    upstream->first_child = &node;
    return upstream->id;
  }

  // Does not wait for anything now.
  void unlink(GraphNode& node) {
    const std::lock_guard lock(mutex_);
    unhook(node);
  }

  void remove(GraphNode& node) {
    const std::lock_guard lock(mutex_);
    if (!node.listed) return;
    unhook(node);
    for (auto* child = std::exchange(node.first_child, nullptr); child;) {
      child->upstream = nullptr;
      child->left = nullptr;
      child = std::exchange(child->right, nullptr);
    }
    nodes_.erase(node.name);
    node.listed = false;
  }

 private:
  // Whether `who` waits for `node`, directly or not. Looks from both ends at once, a step up and a
  // step down in turn, since either may be a hundred thousand stages long.
  static bool depends(const GraphNode& who, const GraphNode& node) {
    const auto* up = &who;
    std::vector<const GraphNode*> below{&node};
    while (true) {
      if (up == &node) return true;
      up = up->upstream;
      if (!up) return false;
      if (below.empty()) return false;
      const auto* next = below.back();
      below.pop_back();
      if (next == &who) return true;
      if (next != &node && next->right) below.push_back(next->right);
      if (next->first_child) below.push_back(next->first_child);
    }
  }

  static void unhook(GraphNode& node) {
    if (!node.upstream) return;
    (node.left ? node.left->right : node.upstream->first_child) = node.right;
    if (node.right) node.right->left = node.left;
    node.upstream = node.left = node.right = nullptr;
  }

  std::mutex mutex_;
  std::unordered_map<std::string, GraphNode*> nodes_;
};

// --- How the stack stays flat --------------------------------------------------------------------

// What a thread does for the sake of stages, of one kind: settling or cancelling. A stage whose
// turn has come because the stage before it has done something waits until that one is through.
// Whatever comes from elsewhere, say from a user's function, is done at once, so that this function
// can rely on it; up to a depth.
class Flat {
 public:
  // `cause` is the id of the output that brought this about, 0 if it is none.
  static void run(Flat& flat, std::uint64_t cause, Fn<void()> job) {
    const bool next = cause != 0 && cause == flat.acting_;
    if (flat.jobs_ && (next || flat.depth_ >= deepest)) {
      flat.jobs_->push_back(std::move(job));
      return;
    }
    std::deque<Fn<void()>> jobs;
    auto* const outer = std::exchange(flat.jobs_, &jobs);
    const auto acting = std::exchange(flat.acting_, 0);
    ++flat.depth_;
    jobs.push_back(std::move(job));
    while (!jobs.empty()) {
      auto now = std::move(jobs.front());
      jobs.pop_front();
      now();
      now = nullptr;  // what it held may go only now, and bring further jobs about
    }
    --flat.depth_;
    flat.acting_ = acting;
    flat.jobs_ = outer;
  }

  // Marks that what happens now comes from the output with this id.
  class Acting {
   public:
    Acting(Flat& flat, std::uint64_t id) : flat_(flat), before_(std::exchange(flat.acting_, id)) {}
    ~Acting() { flat_.acting_ = before_; }
    Acting(const Acting&) = delete;
    Acting& operator=(const Acting&) = delete;

   private:
    Flat& flat_;
    std::uint64_t before_;
  };

  static Flat& settling() {
    thread_local Flat flat;
    return flat;
  }
  static Flat& cancelling() {
    thread_local Flat flat;
    return flat;
  }

 private:
  static constexpr int deepest = 32;
  std::deque<Fn<void()>>* jobs_ = nullptr;
  std::uint64_t acting_ = 0;
  int depth_ = 0;
};

// --- The stages ----------------------------------------------------------------------------------

template <class T, class U>
struct ThenStage {
  using In = T;
  using Out = U;
  using Call = Fn<Future<U>(const Context&, T)>;
  static constexpr bool has_inner = true;
  static bool wants(const Result<T>& result) { return result.has_value(); }
  static Result<U> pass(Result<T> result) { return std::unexpected(std::move(result).error()); }
  static Future<U> call(Call& fn, const Context& context, Result<T> result) {
    return fn(context, *std::move(result));
  }
};

template <class T, class U>
struct MapStage {
  using In = T;
  using Out = U;
  using Call = Fn<Result<U>(T)>;
  static constexpr bool has_inner = false;
  static bool wants(const Result<T>& result) { return result.has_value(); }
  static Result<U> pass(Result<T> result) { return std::unexpected(std::move(result).error()); }
  static Result<U> call(Call& fn, const Context&, Result<T> result) {
    return fn(*std::move(result));
  }
};

template <class T>
struct RecoverStage {
  using In = T;
  using Out = T;
  using Call = Fn<Result<T>(Error)>;
  static constexpr bool has_inner = false;
  static bool wants(const Result<T>& result) { return !result.has_value(); }
  static Result<T> pass(Result<T> result) { return result; }
  static Result<T> call(Call& fn, const Context&, Result<T> result) {
    return fn(std::move(result).error());
  }
};

template <class Kind>
class Stage : public std::enable_shared_from_this<Stage<Kind>> {
  using T = typename Kind::In;
  using U = typename Kind::Out;
  using Call = typename Kind::Call;
  using Graph = detail::Graph<U>;

 public:
  static Future<U> make(const Context& context, Future<T> input, Call fn) {
    auto [output, resolver] = make_future<U>();
    auto stage = std::make_shared<Stage>(context, input, std::move(fn), std::move(resolver));
    Graph::instance().add(stage->node_, name_of(output));
    stage->start(std::move(input));
    return output;
  }

  Stage(const Context& context, Future<T> input, Call fn, Resolver<U> resolver)
      : context_(context),
        resolver_(std::move(resolver)),
        fn_(std::move(fn)),
        input_(std::move(input)) {}
  ~Stage() { Graph::instance().remove(node_); }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

 private:
  enum class Phase { waiting, running, inner, over };

  // The callbacks hold no stage: a stage that is going away needs no news. One that is found is
  // held until the callback has returned, so that nobody else has to wait for that.
  struct AtTheEnd {
    std::weak_ptr<Stage> stage;
    void operator()() const {
      if (auto self = stage.lock()) self->context_ended();
    }
  };
  struct WhenCancelled {
    std::weak_ptr<Stage> stage;
    void operator()() const {
      auto self = stage.lock();
      if (!self) return;
      const auto id = self->node_.id;
      Flat::run(Flat::cancelling(), id, [self = std::move(self)] { self->cancel_upstream(); });
    }
  };

  void start(Future<T> input) {
    const auto self = this->shared_from_this();
    when_cancelled_.emplace(resolver_.context().stop_token(), WhenCancelled{self});
    at_the_end_.emplace(context_.stop_token(), AtTheEnd{self});
    if (refers_to_nothing(input)) {
      finish(std::unexpected(Error{Errc::invalid_argument, "the input refers to no future"}));
      return;
    }
    std::uint64_t cause = 0;
    if constexpr (std::is_same_v<T, U>) {
      cause = Graph::instance().link(node_, name_of(input)).value_or(0);
    }
    {
      const std::lock_guard lock(mutex_);
      if (phase_ == Phase::over) return;  // the context had ended before
      upstream_id_ = cause;
    }
    input.on_settled([self, cause](const Result<T>&) {
      Flat::run(Flat::settling(), cause, [self] { self->input_settled(); });
    });
  }

  void input_settled() {
    std::optional<Future<T>> input;
    Call fn;
    {
      const std::lock_guard lock(mutex_);
      if (phase_ != Phase::waiting) return;
      phase_ = Phase::running;
      input.swap(input_);
      fn = std::exchange(fn_, nullptr);
    }
    Graph::instance().unlink(node_);
    std::optional<Result<T>> result;
    try {
      result.emplace(input->await(Context::background()));
    } catch (...) {  // a copy of a value
      fn = nullptr;
      finish(std::unexpected(error_from_current_exception()));
      return;
    }
    input.reset();
    if (!Kind::wants(*result)) {
      fn = nullptr;
      finish(Kind::pass(*std::move(result)));
    } else if (context_.done()) {
      fn = nullptr;
      context_ended();
    } else {
      call(std::move(fn), *std::move(result));
    }
  }

  void call(Call given, Result<T> result) {
    // fn and its captures are gone before anybody hears of what it made.
    std::optional<Call> fn(std::move(given));
    std::optional<Error> thrown;
    try {
      auto returned = Kind::call(*fn, context_, std::move(result));
      fn.reset();
      if constexpr (Kind::has_inner) {
        wait_for(std::move(returned));
      } else {
        finish(std::move(returned));
      }
      return;
    } catch (...) {
      thrown = error_from_current_exception();
    }
    fn.reset();
    finish(std::unexpected(*std::move(thrown)));
  }

  void wait_for(Future<U> inner) {
    if (refers_to_nothing(inner)) {
      finish(std::unexpected(Error{Errc::invalid_argument, "fn returned a future of nothing"}));
      return;
    }
    const auto cause = Graph::instance().link(node_, name_of(inner));
    if (!cause) {
      finish(std::unexpected(
          Error{Errc::invalid_argument, "fn returned a future that waits for its own output"}));
      return;
    }
    bool over = false;
    {
      const std::lock_guard lock(mutex_);
      over = phase_ == Phase::over;
      if (!over) {
        phase_ = Phase::inner;
        inner_ = inner;
        upstream_id_ = *cause;
      }
    }
    if (over) {
      cancel(inner, *cause);
      return;
    }
    if (context_.done()) context_ended();
    // Nobody was there to be cancelled when the output was.
    if (resolver_.context().done()) cancel(inner, *cause);
    inner.on_settled([self = this->shared_from_this(), cause = *cause](const Result<U>&) {
      Flat::run(Flat::settling(), cause, [self] { self->inner_settled(); });
    });
  }

  void inner_settled() {
    if constexpr (Kind::has_inner) {
      std::optional<Future<U>> inner;
      {
        const std::lock_guard lock(mutex_);
        if (phase_ != Phase::inner) return;
        inner = inner_;
      }
      try {
        finish(inner->await(Context::background()));
      } catch (...) {
        finish(std::unexpected(error_from_current_exception()));
      }
    }
  }

  void context_ended() { finish(ended()); }
  Result<U> ended() const { return std::unexpected(*context_.error()); }

  // The one place where the output is settled, by whoever comes first.
  void finish(Result<U> result) {
    std::optional<Future<T>> input;
    std::optional<Future<U>> inner;
    Call unused;
    std::uint64_t upstream_id = 0;
    {
      const std::lock_guard lock(mutex_);
      if (phase_ == Phase::over) return;
      unused = std::exchange(fn_, nullptr);
      phase_ = Phase::over;
      input.swap(input_);
      inner.swap(inner_);
      upstream_id = upstream_id_;
    }
    Graph::instance().remove(node_);
    unused = nullptr;
    settle(std::move(result));
    if (input) cancel(*input, upstream_id);
    if (inner) cancel(*inner, upstream_id);
  }

  void settle(Result<U> result) {
    const Flat::Acting acting(Flat::settling(), node_.id);
    if (const auto end = context_.error()) {
      resolver_.reject(*end);
    } else if (!result) {
      resolver_.reject(std::move(result).error());
    } else {
      try {
        resolver_.resolve(*std::move(result));
      } catch (...) {  // a move of a value
        resolver_.reject(error_from_current_exception());
      }
    }
  }

  void cancel_upstream() {
    std::optional<Future<T>> input;
    std::optional<Future<U>> inner;
    std::uint64_t upstream_id = 0;
    {
      const std::lock_guard lock(mutex_);
      input = input_;
      inner = inner_;
      upstream_id = upstream_id_;
    }
    if (input) cancel(*input, upstream_id);
    if (inner) cancel(*inner, upstream_id);
  }

  // Does nothing when the future is settled.
  template <class V>
  static void cancel(const Future<V>& future, std::uint64_t id) {
    const Flat::Acting acting(Flat::cancelling(), id);
    future.cancel();
  }

  const Context context_;
  Resolver<U> resolver_;
  GraphNode node_;
  std::mutex mutex_;
  Phase phase_ = Phase::waiting;  // guarded by mutex_, as below
  Call fn_;
  std::optional<Future<T>> input_;
  std::optional<Future<U>> inner_;
  std::uint64_t upstream_id_ = 0;
  std::optional<std::stop_callback<WhenCancelled>> when_cancelled_;
  std::optional<std::stop_callback<AtTheEnd>> at_the_end_;
};

}  // namespace detail

template <class U, class T>
Future<U> then(const Context& context, Future<T> future,
               std::type_identity_t<Fn<Future<U>(const Context&, T)>> fn) {
  return detail::Stage<detail::ThenStage<T, U>>::make(context, std::move(future), std::move(fn));
}

template <class U, class T>
Future<U> map(const Context& context, Future<T> future, std::type_identity_t<Fn<Result<U>(T)>> fn) {
  return detail::Stage<detail::MapStage<T, U>>::make(context, std::move(future), std::move(fn));
}

template <class T>
Future<T> recover(const Context& context, Future<T> future,
                  std::type_identity_t<Fn<Result<T>(Error)>> fn) {
  return detail::Stage<detail::RecoverStage<T>>::make(context, std::move(future), std::move(fn));
}

}  // namespace futures
