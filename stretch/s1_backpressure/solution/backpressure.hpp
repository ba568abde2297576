// A chain of stages that work at the same time, with a bounded queue in front of each: the slowest
// stage sets the pace of all of them, and memory does not grow with the input.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <system_error>
#include <type_traits>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

template <class T>
class Intake;
template <class T>
class Chain;

namespace detail {

// A queue as the one behind it sees it: something that can be told that its values are not wanted.
class Upstream {
 public:
  virtual ~Upstream() = default;
  virtual void abandon(const Error& why) = 0;
};

// The queue between two stages. It ends in one of two ways. Closed by its writer: what is in it is
// still read, and then the reason. Abandoned, by its reader or because the chain's context ended:
// what is in it is destroyed, and so is everything before it.
//
// Links own those before them, never those behind; a stage's thread owns the two it works between.
template <class T>
class Link final : public Upstream {
 public:
  static std::shared_ptr<Link> make(const Context& line, std::size_t capacity,
                                    std::shared_ptr<Upstream> upstream) {
    auto link = std::make_shared<Link>(line, capacity, std::move(upstream));
    link->line_end_.emplace(line.stop_token(), GiveUp{link});
    if (capacity == 0) {
      link->abandon(Error{Errc::invalid_argument, "a queue of capacity 0 can't hold anything"});
    }
    return link;
  }

  Link(const Context& line, std::size_t capacity, std::shared_ptr<Upstream> upstream)
      : line_(line),
        capacity_(capacity),
        upstream_(std::move(upstream)),
        writer_(with_cancel(line)) {}

  // The context of the whole chain.
  const Context& line() const { return line_; }

  // What whoever fills this queue works under: ends as soon as the queue is abandoned.
  const Context& writer() const { return writer_.context(); }

  Result<void> push(const Context& patience, T value) {
    std::unique_lock lock(mutex_);
    // Looks for room before it looks at the context: room that is there beats a cancellation.
    const bool settled = room_.wait(lock, patience.stop_token(), [this] {
      return abandoned_ || end_ || queue_.size() < capacity_;
    });
    if (!settled) return std::unexpected(*patience.error());
    if (abandoned_) return std::unexpected(*abandoned_);
    if (end_) return std::unexpected(Error{Errc::closed, "the intake is closed"});
    queue_.push_back(std::move(value));
    news_.notify_one();
    return {};
  }

  Result<T> pull(const Context& patience) {
    std::unique_lock lock(mutex_);
    const bool settled = news_.wait(lock, patience.stop_token(),
                                    [this] { return abandoned_ || end_ || !queue_.empty(); });
    if (!settled) return std::unexpected(*patience.error());
    if (abandoned_) return std::unexpected(*abandoned_);
    if (queue_.empty()) return std::unexpected(*end_);
    Result<T> value(std::in_place, std::move(queue_.front()));
    queue_.pop_front();
    room_.notify_one();
    return value;
  }

  void close(Error end) {
    const std::lock_guard lock(mutex_);
    if (abandoned_ || end_) return;
    end_ = std::move(end);
    news_.notify_all();
    room_.notify_all();  // there may be many pushers, and none of them will find room any more
  }

  void abandon(const Error& why) override {
    std::deque<T> unwanted;
    {
      const std::lock_guard lock(mutex_);
      // What was read to its end has ended for its own reason.
      if (abandoned_ || (end_ && queue_.empty())) return;
      abandoned_ = why;
      unwanted.swap(queue_);
      news_.notify_all();
      room_.notify_all();
    }
    // Right now, and not when the stage before this one finds out by itself: it may be busy for
    // long. And before that stage is told: its answer must not get to the queues first.
    if (upstream_) upstream_->abandon(why);
    // Foreign code, so without the lock: stop callbacks here, destructors of values below.
    writer_.cancel(why);
  }

 private:
  // A link that is going away in this moment has nothing left to give up.
  struct GiveUp {
    std::weak_ptr<Link> link;
    void operator()() const {
      if (const auto self = link.lock()) self->abandon(*self->line_.error());
    }
  };

  const Context line_;
  const std::size_t capacity_;
  const std::shared_ptr<Upstream> upstream_;  // none: the first queue
  CancelSource writer_;
  std::mutex mutex_;
  std::condition_variable_any room_;
  std::condition_variable_any news_;
  std::deque<T> queue_;             // guarded by mutex_, as all below
  std::optional<Error> end_;        // set by the writer: no more will come, and why
  std::optional<Error> abandoned_;  // nobody reads this queue any more, and why
  // Last member, so destroyed first: its destructor waits for a callback that is running elsewhere.
  std::optional<std::stop_callback<GiveUp>> line_end_;
};

// The life of a stage's thread.
template <class U, class T>
void run_stage(Link<T>& in, Link<U>& out, Fn<Result<U>(const Context&, T)>& fn) {
  const auto forever = Context::background();
  while (true) {
    auto value = in.pull(forever);
    if (!value) return out.close(std::move(value).error());
    auto made = [&]() -> Result<U> {
      try {
        return fn(out.writer(), *std::move(value));
      } catch (...) {
        return std::unexpected(error_from_current_exception());
      }
    }();
    if (!made) {
      // Once the chain's context has ended, an error is no more than the answer to that.
      const Error why = out.line().done() ? *out.line().error() : made.error();
      // Behind this stage the values that passed it are still wanted; before it nothing is.
      out.close(why);
      return in.abandon(why);
    }
    // When this fails, whoever abandoned `out` has told everybody before this stage.
    if (!out.push(forever, *std::move(made))) return;
  }
}

inline Error nobody_pulls() { return {Errc::closed, "the end of the chain was dropped"}; }
inline Error empty_handle() { return {Errc::invalid_argument, "the handle refers to no chain"}; }

}  // namespace detail

// The way in. Move-only; push, close and fail may be called from many threads at once. One that
// goes away without close() or fail() lets the chain end in Errc::broken_promise.
template <class T>
class Intake {
 public:
  Intake(Intake&&) noexcept = default;
  Intake& operator=(Intake&& other) noexcept {
    Intake old(std::move(other));  // the default would drop the old chain without a word
    std::swap(link_, old.link_);
    return *this;
  }
  Intake(const Intake&) = delete;
  Intake& operator=(const Intake&) = delete;
  ~Intake() { fail(Error{Errc::broken_promise, "the intake went away without closing"}); }

  // Blocks while the first queue is full. An error means that the value is gone, and says why:
  // `patience` ended (nothing else happens to the chain), close() or fail() was called, or nobody
  // wants values any more: then it is what ended the chain. Room that is there beats a patience
  // that has ended.
  Result<void> push(const Context& patience, T value) const {
    if (!link_) return std::unexpected(detail::empty_handle());
    return link_->push(patience, std::move(value));
  }

  // No more values. Those pushed before still go all the way.
  void close() const { fail(Error{Errc::closed, "the chain has ended"}); }

  // As close(), but what comes after the last value is this error. Only the first call counts.
  void fail(Error error) const {
    if (link_) link_->close(std::move(error));
  }

 private:
  template <class V>
  friend std::pair<Intake<V>, Chain<V>> make_chain(const Context&, std::size_t);
  explicit Intake(std::shared_ptr<detail::Link<T>> link) : link_(std::move(link)) {}

  std::shared_ptr<detail::Link<T>> link_;
};

// The way out, so far: hand it to then() to add a stage. Move-only; pull may be called from many
// threads at once, and each value goes to one of them. When it goes away, nobody wants the values:
// those under way are destroyed, the stages end, and push() says Errc::closed.
template <class T>
class Chain {
 public:
  Chain(Chain&&) noexcept = default;
  Chain& operator=(Chain&& other) noexcept {
    Chain old(std::move(other));
    std::swap(link_, old.link_);
    return *this;
  }
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;
  ~Chain() {
    if (link_) link_->abandon(detail::nobody_pulls());
  }

  // Blocks until there is a value. At the end: Errc::closed, or the error that ended the chain,
  // each time again; when `patience` ended before: its error. A value that is there beats a
  // patience that has ended.
  Result<T> pull(const Context& patience) const {
    if (!link_) return std::unexpected(detail::empty_handle());
    return link_->pull(patience);
  }

 private:
  template <class V>
  friend std::pair<Intake<V>, Chain<V>> make_chain(const Context&, std::size_t);
  template <class V, class W>
  friend Chain<V> then(Chain<W>, std::size_t,
                       std::type_identity_t<Fn<Result<V>(const Context&, W)>>);
  explicit Chain(std::shared_ptr<detail::Link<T>> link) : link_(std::move(link)) {}

  std::shared_ptr<detail::Link<T>> link_;
};

// A chain without stages: one queue. When `context` ends, the chain ends with its error, and all
// values under way are destroyed. A capacity of 0 is Errc::invalid_argument, here and in then():
// push and pull say so.
template <class T>
std::pair<Intake<T>, Chain<T>> make_chain(const Context& context, std::size_t capacity) {
  auto link = detail::Link<T>::make(context, capacity, nullptr);
  return {Intake<T>(link), Chain<T>(link)};
}

// Adds a stage, which has a thread of its own and a queue of `capacity` values behind it. It calls
// fn for one value after the other and waits while that queue is full, so that a slow stage holds
// up those before it. fn's context ends when nobody wants its result any more. An error from fn, or
// an exception, ends the chain: the values that passed this stage are still delivered, then the
// error; those before it are destroyed.
template <class U, class T>
Chain<U> then(Chain<T> chain, std::size_t capacity,
              std::type_identity_t<Fn<Result<U>(const Context&, T)>> fn) {
  auto in = std::exchange(chain.link_, nullptr);
  auto out = detail::Link<U>::make(in ? in->line() : Context::background(), capacity, in);
  if (!in) {
    out->close(detail::empty_handle());
    return Chain<U>(std::move(out));
  }
  try {
    spawn([in, out, fn = std::move(fn)]() mutable { detail::run_stage<U, T>(*in, *out, fn); });
  } catch (const std::system_error& no_thread) {
    out->close(Error{Errc::unavailable, no_thread.what()});
    in->abandon(Error{Errc::unavailable, no_thread.what()});
  }
  return Chain<U>(std::move(out));
}

}  // namespace futures
