// Right: every stage has a thread of its own and hands on through a queue of one.
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
#include "runtime/spawn.hpp"

namespace futures {

template <class T>
class FutureStream;

namespace detail {

template <class T>
using Next = Result<std::optional<T>>;

template <class T>
class Source {
 public:
  virtual ~Source() = default;

  virtual Next<T> next() = 0;

  virtual void cancel(const Error& why) = 0;

  bool claim() { return !claimed_.exchange(true); }

 private:
  std::atomic<bool> claimed_{false};
};

inline Error nobody_reads() { return {Errc::cancelled, "nobody wants the stream's values"}; }

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
      const auto alive = source;
      alive->cancel(*context.error());
    }
  };
  std::stop_callback<Forward> callback_;
};

template <class T>
class Buffer final : public Source<T> {
 public:
  explicit Buffer(std::size_t capacity, Fn<void(const Error&)> on_cancel = nullptr)
      : on_cancel_(std::move(on_cancel)), capacity_(capacity), producers_(make_producers()) {
    if (capacity == 0) {
      cancel(Error{Errc::invalid_argument, "a stream of capacity 0 can't hold a value"});
    }
  }

  Result<void> send(const Context& context, T value) {
    std::unique_lock lock(mutex_);
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
      if (cancelled_ || (end_ && queue_.empty())) return;
      cancelled_ = why;
      undelivered.swap(queue_);
      news_.notify_all();
      room_.notify_all();
    }
    undelivered.clear();
    producers_.cancel(why);
    if (on_cancel_) on_cancel_(why);
  }

  const Context& producers() const { return producers_.context(); }

 private:
  static CancelSource make_producers() { return with_cancel(Context::background()); }

  Fn<void(const Error&)> on_cancel_;
  const std::size_t capacity_;
  CancelSource producers_;
  std::mutex mutex_;
  std::condition_variable_any room_;
  std::condition_variable_any news_;
  std::deque<T> queue_;
  std::optional<Result<void>> end_;
  std::optional<Error> cancelled_;
};

// Lives as long as somebody holds a handle on what comes out of a stage.
template <class T>
struct Reader {
  Reader(const Context& context, std::shared_ptr<Buffer<T>> out)
      : buffer(out), follow(context, out) {}
  ~Reader() { buffer->cancel(nobody_reads()); }

  std::shared_ptr<Buffer<T>> buffer;
  CancelWithContext<T> follow;
};

}  // namespace detail

template <class T>
class FutureStream {
 public:
  explicit FutureStream(std::size_t capacity = 1)
      : buffer_(std::make_shared<detail::Buffer<T>>(capacity)) {}

  Result<void> send(const Context& context, T value) const {
    return buffer_->send(context, std::move(value));
  }

  bool close() const { return buffer_->close({}); }
  bool close(Error error) const { return buffer_->close(std::unexpected(std::move(error))); }
  Context producers() const { return buffer_->producers(); }

  void cancel(const Error& why = {Errc::cancelled, "the stream was cancelled"}) const {
    const auto buffer = buffer_;
    buffer->cancel(why);
  }

  Result<void> range(const Context& context, Fn<Result<void>(T)> fn) const {
    const auto self = *this;
    if (!self.buffer_->claim()) {
      return std::unexpected(Error{Errc::invalid_argument, "the stream has a consumer already"});
    }
    return self.consume(context, [&fn](T value) -> Result<bool> {
      if (auto done = fn(std::move(value)); !done) return std::unexpected(done.error());
      return true;
    });
  }

  bool claim() const { return buffer_->claim(); }

  // Until `use` says false, or something ends it.
  template <class Use>
  Result<void> consume(const Context& context, Use use) const {
    const auto buffer = buffer_;
    const detail::CancelWithContext<T> follow(context, buffer);
    while (true) {
      auto value = buffer->next();
      if (!value) return std::unexpected(std::move(value).error());
      if (!*value) return {};
      if (context.done()) {
        buffer->cancel(*context.error());
        return std::unexpected(*context.error());
      }
      const auto more = [&]() -> Result<bool> {
        try {
          return use(**std::move(value));
        } catch (...) {
          return std::unexpected(error_from_current_exception());
        }
      }();
      if (!more) {
        buffer->cancel(more.error());
        return std::unexpected(more.error());
      }
      if (!*more) {
        buffer->cancel(detail::nobody_reads());
        return {};
      }
    }
  }

  // A stream whose values `use` sends, from a thread of its own. use(buffer, value) says whether
  // it wants more.
  template <class U, class Use>
  FutureStream<U> stage(const Context& context, Use use) const {
    auto upstream = buffer_;
    if (!upstream->claim()) {
      FutureStream<U> broken;
      broken.close(Error{Errc::invalid_argument, "the stream has a consumer already"});
      return broken;
    }
    auto out = std::make_shared<detail::Buffer<U>>(
        1, [upstream](const Error& why) { upstream->cancel(why); });
    FutureStream<U> result(out, std::make_shared<detail::Reader<U>>(context, out));
    spawn([in = *this, out, context, use = std::move(use)]() mutable {
      auto end = in.consume(context, [&](T value) { return use(*out, std::move(value)); });
      out->close(std::move(end));
    });
    return result;
  }

 private:
  template <class V>
  friend class FutureStream;

  FutureStream(std::shared_ptr<detail::Buffer<T>> buffer, std::shared_ptr<detail::Reader<T>> reader)
      : buffer_(std::move(buffer)), reader_(std::move(reader)) {}

  std::shared_ptr<detail::Buffer<T>> buffer_;
  std::shared_ptr<detail::Reader<T>> reader_;
};

template <class U, class T>
FutureStream<U> map(const Context& context, FutureStream<T> stream,
                    std::type_identity_t<Fn<Result<U>(T)>> fn) {
  return stream.template stage<U>(
      context, [fn = std::move(fn)](detail::Buffer<U>& out, T value) mutable -> Result<bool> {
        auto made = fn(std::move(value));
        if (!made) return std::unexpected(made.error());
        if (auto sent = out.send(Context::background(), *std::move(made)); !sent) {
          return std::unexpected(sent.error());
        }
        return true;
      });
}

template <class T>
FutureStream<T> filter(const Context& context, FutureStream<T> stream,
                       std::type_identity_t<Fn<Result<bool>(const T&)>> fn) {
  return stream.template stage<T>(
      context, [fn = std::move(fn)](detail::Buffer<T>& out, T value) mutable -> Result<bool> {
        const auto keep = fn(value);
        if (!keep) return std::unexpected(keep.error());
        if (!*keep) return true;
        if (auto sent = out.send(Context::background(), std::move(value)); !sent) {
          return std::unexpected(sent.error());
        }
        return true;
      });
}

template <class T>
FutureStream<T> take(const Context& context, FutureStream<T> stream, std::size_t count) {
  if (count == 0) {
    FutureStream<T> nothing;
    nothing.close();
    if (stream.claim()) stream.cancel(detail::nobody_reads());
    return nothing;
  }
  auto start = stream;
  return stream.template stage<T>(
      context, [count, start](detail::Buffer<T>& out, T value) mutable -> Result<bool> {
        if (--count == 0) start.cancel(detail::nobody_reads());
        if (auto sent = out.send(Context::background(), std::move(value)); !sent) {
          return std::unexpected(sent.error());
        }
        return count > 0;
      });
}

}  // namespace futures
