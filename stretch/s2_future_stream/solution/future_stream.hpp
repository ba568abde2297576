// A future of many values: sent one by one, consumed as they come, and transformed on the way.
//
// Stages are fused. map, filter and take start nothing: a stage is an object that pulls one value
// from the one before it when it is asked for one. All of it runs on the consumer's thread, so
// there is no thread to be left behind, and a consumer that is slow asks late.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

template <class T>
class FutureStream;

namespace detail {

// No error code says "the end": whatever error a user's function returns must stay one.
template <class T>
using Next = Result<std::optional<T>>;

// Where values come from: the queue a producer fills, or a stage. Whoever calls a member holds a
// shared_ptr of their own meanwhile.
template <class T>
class Source {
 public:
  virtual ~Source() = default;

  // The next value; nullopt at the end; or the error that ended it. Blocks until there is one of
  // these. Called by one thread at a time: the consumer.
  virtual Next<T> next() = 0;

  // Nobody will want what has not been delivered, `why` says why not. From any thread.
  virtual void cancel(const Error& why) = 0;

  // True for the first who asks: a stream has one consumer.
  bool claim() { return !claimed_.exchange(true); }

 private:
  std::atomic<bool> claimed_{false};
};

inline Error nobody_reads() { return {Errc::cancelled, "nobody wants the stream's values"}; }

// While it lives: when the context ends, the source is cancelled for the same reason.
template <class T>
class CancelWithContext {
 public:
  CancelWithContext(const Context& context, std::shared_ptr<Source<T>> source)
      : callback_(context.stop_token(), Forward{context, std::move(source)}) {}

 private:
  struct Forward {
    Context context;
    std::shared_ptr<Source<T>> source;
    void operator()() const {
      // What is cancelled may own this very callback, and a destroyed value may drop it.
      const auto alive = source;
      alive->cancel(*context.error());
    }
  };
  std::stop_callback<Forward> callback_;
};

// Where a pipeline starts: what was sent and not consumed yet.
template <class T>
class Buffer final : public Source<T> {
 public:
  explicit Buffer(std::size_t capacity) : capacity_(capacity), producers_(make_producers()) {
    if (capacity == 0) {
      cancel(Error{Errc::invalid_argument, "a stream of capacity 0 can't hold a value"});
    }
  }

  Result<void> send(const Context& context, T value) {
    std::unique_lock lock(mutex_);
    // Looks for room before it looks at the context: room that is there beats a cancellation.
    const bool settled = room_.wait(lock, context.stop_token(), [this] {
      return cancelled_ || end_ || queue_.size() < capacity_;
    });
    if (!settled) return std::unexpected(*context.error());
    if (cancelled_) return std::unexpected(*cancelled_);
    if (end_) return std::unexpected(Error{Errc::closed, "the stream is closed"});
    queue_.push_back(std::move(value));
    news_.notify_one();
    return {};
  }

  bool close(Result<void> end) {
    const std::lock_guard lock(mutex_);
    if (end_ || cancelled_) return false;
    end_ = std::move(end);
    news_.notify_all();
    room_.notify_all();
    return true;
  }

  Next<T> next() override {
    std::unique_lock lock(mutex_);
    news_.wait(lock, [this] { return cancelled_ || end_ || !queue_.empty(); });
    if (cancelled_) return std::unexpected(*cancelled_);
    if (queue_.empty() && !*end_) return std::unexpected(end_->error());
    if (queue_.empty()) return std::nullopt;
    std::optional<T> value(std::in_place, std::move(queue_.front()));
    queue_.pop_front();
    room_.notify_one();
    return value;
  }

  void cancel(const Error& why) override {
    std::deque<T> undelivered;
    {
      const std::lock_guard lock(mutex_);
      // An end that was reached stays what it was.
      if (cancelled_ || (end_ && queue_.empty())) return;
      cancelled_ = why;
      undelivered.swap(queue_);
      news_.notify_all();
      room_.notify_all();
    }
    // Without the lock: stop callbacks of producers here, destructors of values below.
    producers_.cancel(why);
  }

  const Context& producers() const { return producers_.context(); }

 private:
  static CancelSource make_producers() { return with_cancel(Context::background()); }

  const std::size_t capacity_;
  CancelSource producers_;
  std::mutex mutex_;
  std::condition_variable_any room_;
  std::condition_variable_any news_;
  std::deque<T> queue_;              // guarded by mutex_, as all below
  std::optional<Result<void>> end_;  // close() was called, perhaps with an error
  std::optional<Error> cancelled_;   // why nobody wants the rest
};

// A stage between `upstream` and whoever pulls from it. Goes away with the last handle on what
// comes out of it; then nobody wants what goes in.
template <class U, class T>
class Stage : public Source<U> {
 public:
  Stage(const Context& context, std::shared_ptr<Source<T>> upstream)
      : context_(context), upstream_(std::move(upstream)) {
    if (!upstream_ || !upstream_->claim()) upstream_ = nullptr;
    if (upstream_) follow_.emplace(context_, upstream_);
  }
  ~Stage() override {
    if (upstream_) upstream_->cancel(nobody_reads());
  }

  void cancel(const Error& why) override {
    if (upstream_) upstream_->cancel(why);
  }

 protected:
  // The next value, for the stage's function: nothing is handed to it once its context has ended.
  Next<T> pull() {
    if (!upstream_) {
      return std::unexpected(Error{Errc::invalid_argument, "the stream has a consumer already"});
    }
    auto value = upstream_->next();
    if (value && *value && context_.done()) {
      upstream_->cancel(*context_.error());  // see range()
      return std::unexpected(*context_.error());
    }
    return value;
  }

  // Calls the user's function. What it throws is an error, and an error ends the stream.
  template <class Call>
  auto guarded(Call call) -> decltype(call()) {
    auto result = [&]() -> decltype(call()) {
      try {
        return call();
      } catch (...) {
        return std::unexpected(error_from_current_exception());
      }
    }();
    if (!result) cancel(result.error());
    return result;
  }

 private:
  const Context context_;
  std::shared_ptr<Source<T>> upstream_;
  std::optional<CancelWithContext<T>> follow_;  // last, so destroyed first
};

template <class U, class T>
class MapStage final : public Stage<U, T> {
 public:
  MapStage(const Context& context, std::shared_ptr<Source<T>> upstream, Fn<Result<U>(T)> fn)
      : Stage<U, T>(context, std::move(upstream)), fn_(std::move(fn)) {}

  Next<U> next() override {
    auto value = this->pull();
    if (!value) return std::unexpected(std::move(value).error());
    if (!*value) return std::nullopt;
    // Step by step: an expected converts into an optional in ways nobody wants when U is bool.
    auto made = this->guarded([&]() -> Result<U> { return fn_(**std::move(value)); });
    if (!made) return std::unexpected(std::move(made).error());
    return std::optional<U>(std::in_place, *std::move(made));
  }

 private:
  Fn<Result<U>(T)> fn_;
};

template <class T>
class FilterStage final : public Stage<T, T> {
 public:
  FilterStage(const Context& context, std::shared_ptr<Source<T>> upstream,
              Fn<Result<bool>(const T&)> fn)
      : Stage<T, T>(context, std::move(upstream)), fn_(std::move(fn)) {}

  Next<T> next() override {
    while (true) {
      auto value = this->pull();
      if (!value || !*value) return value;
      const auto keep = this->guarded([&]() -> Result<bool> { return fn_(**value); });
      if (!keep) return std::unexpected(keep.error());
      if (*keep) return value;
    }
  }

 private:
  Fn<Result<bool>(const T&)> fn_;
};

template <class T>
class TakeStage final : public Stage<T, T> {
 public:
  TakeStage(const Context& context, std::shared_ptr<Source<T>> upstream, std::size_t count)
      : Stage<T, T>(context, std::move(upstream)), left_(count) {
    if (left_ == 0) this->cancel(nobody_reads());
  }

  Next<T> next() override {
    if (left_ == 0) return std::nullopt;
    auto value = this->pull();
    // With the last value, not when another one is asked for: nobody may ever send that one.
    if (value && *value && --left_ == 0) this->cancel(nobody_reads());
    return value;
  }

 private:
  std::size_t left_;  // touched by the consumer alone
};

}  // namespace detail

// A handle; copies refer to the same stream. All members may be called from many threads at once,
// and from inside the functions of a pipeline. A stream has one consumer: range(), or the stage
// that was made from it. Whoever comes second gets Errc::invalid_argument and disturbs nobody.
//
// When a stream is cancelled, what was sent and not delivered is destroyed at once, and send() says
// why. That happens when range() ends before the stream does, when the context of range() or of a
// stage ends, when a function fails, when take() has enough, and when what comes out of a stage is
// dropped. What send(), close() and producers() do on a stream that comes out of a stage is
// nobody's business: they belong to the stream at the start.
template <class T>
class FutureStream {
 public:
  // A stream whose producers may be `capacity` values ahead of its consumer. A capacity of 0 is
  // Errc::invalid_argument: send and range say so.
  explicit FutureStream(std::size_t capacity = 1)
      : buffer_(std::make_shared<detail::Buffer<T>>(capacity)), source_(buffer_) {}

  // Adds a value; blocks while there is no room. An error means that the value is gone, and says
  // why: the stream was cancelled for this reason; or Errc::closed, after close(); or the context's
  // error. Room that is there beats a context that has ended.
  Result<void> send(const Context& context, T value) const {
    if (!buffer_) return std::unexpected(not_at_the_start());
    return buffer_->send(context, std::move(value));
  }

  // No more values; the consumer still gets those that were sent, then the error if there is one.
  // Returns whether this call closed the stream: only the first does.
  bool close() const { return buffer_ && buffer_->close({}); }
  bool close(Error error) const {
    return buffer_ && buffer_->close(std::unexpected(std::move(error)));
  }

  // Ends when the stream is cancelled, with the reason. For producers that are busy.
  Context producers() const { return buffer_ ? buffer_->producers() : Context::background(); }

  // Nobody wants the rest. Does nothing at the end of the stream.
  void cancel(const Error& why = {Errc::cancelled, "the stream was cancelled"}) const {
    const auto source = source_;
    source->cancel(why);
  }

  // Calls fn for each value, in order, on this thread, until the stream ends: success, or the error
  // it was closed or cancelled with. An error from fn (or an exception) ends it as well. When the
  // context ends: its error, and fn is not called again; only an end that was reached before wins.
  Result<void> range(const Context& context, Fn<Result<void>(T)> fn) const {
    const auto source = source_;  // fn may drop the last handle
    if (!source->claim()) {
      return std::unexpected(Error{Errc::invalid_argument, "the stream has a consumer already"});
    }
    const detail::CancelWithContext<T> follow(context, source);
    while (true) {
      auto value = source->next();
      if (!value) return std::unexpected(std::move(value).error());
      if (!*value) return {};
      if (context.done()) {
        // Not left to `follow`: to ask a context is to be faster than its callbacks, and one that
        // has not run when it is taken back never will.
        source->cancel(*context.error());
        return std::unexpected(*context.error());
      }
      auto done = [&]() -> Result<void> {
        try {
          return fn(**std::move(value));
        } catch (...) {
          return std::unexpected(error_from_current_exception());
        }
      }();
      if (!done) {
        source->cancel(done.error());
        return done;
      }
    }
  }

 private:
  template <class V, class W>
  friend FutureStream<V> map(const Context&, FutureStream<W>,
                             std::type_identity_t<Fn<Result<V>(W)>>);
  template <class V>
  friend FutureStream<V> filter(const Context&, FutureStream<V>,
                                std::type_identity_t<Fn<Result<bool>(const V&)>>);
  template <class V>
  friend FutureStream<V> take(const Context&, FutureStream<V>, std::size_t);
  template <class V>
  friend class FutureStream;

  explicit FutureStream(std::shared_ptr<detail::Source<T>> stage) : source_(std::move(stage)) {}

  static Error not_at_the_start() {
    return {Errc::invalid_argument, "values are sent into the stream at the start"};
  }

  std::shared_ptr<detail::Buffer<T>> buffer_;  // none: what comes out of a stage
  std::shared_ptr<detail::Source<T>> source_;
};

// The values that fn makes of the stream's, in order. An error from fn, or an exception, ends the
// stream: the consumer gets it after the values before it. The stage is over when its context ends:
// fn is not called again, the consumer gets the context's error.
template <class U, class T>
FutureStream<U> map(const Context& context, FutureStream<T> stream,
                    std::type_identity_t<Fn<Result<U>(T)>> fn) {
  return FutureStream<U>(
      std::make_shared<detail::MapStage<U, T>>(context, std::move(stream.source_), std::move(fn)));
}

// The values for which fn says true, in order. Errors and the context as with map().
template <class T>
FutureStream<T> filter(const Context& context, FutureStream<T> stream,
                       std::type_identity_t<Fn<Result<bool>(const T&)>> fn) {
  return FutureStream<T>(
      std::make_shared<detail::FilterStage<T>>(context, std::move(stream.source_), std::move(fn)));
}

// The first `count` values. With the last of them the stream before is cancelled, whether it ever
// sends another or not. The context as with map().
template <class T>
FutureStream<T> take(const Context& context, FutureStream<T> stream, std::size_t count) {
  return FutureStream<T>(
      std::make_shared<detail::TakeStage<T>>(context, std::move(stream.source_), count));
}

}  // namespace futures
