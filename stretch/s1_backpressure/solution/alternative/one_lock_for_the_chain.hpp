// Right: all queues share one lock and one condition variable; everybody wakes up and looks.
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

// What all queues of one chain share.
struct Line {
  explicit Line(const Context& ends_with) : context(ends_with) {}

  const Context context;
  std::mutex mutex;
  std::condition_variable_any changed;
};

class Upstream {
 public:
  virtual ~Upstream() = default;
  virtual void abandon(const Error& why) = 0;
};

template <class T>
class Link final : public Upstream, public std::enable_shared_from_this<Link<T>> {
 public:
  Link(std::shared_ptr<Line> line, std::size_t capacity, std::shared_ptr<Upstream> upstream)
      : line_(std::move(line)),
        capacity_(capacity),
        upstream_(std::move(upstream)),
        writer_(with_cancel(line_->context)) {}

  static std::shared_ptr<Link> make(std::shared_ptr<Line> line, std::size_t capacity,
                                    std::shared_ptr<Upstream> upstream) {
    auto link = std::make_shared<Link>(std::move(line), capacity, std::move(upstream));
    link->line_end_ = std::make_unique<std::stop_callback<Fn<void()>>>(
        link->line_->context.stop_token(), [weak = std::weak_ptr<Link>(link)] {
          if (const auto self = weak.lock()) self->abandon(*self->line_->context.error());
        });
    if (capacity == 0) link->abandon(Error{Errc::invalid_argument, "capacity 0"});
    return link;
  }

  const std::shared_ptr<Line>& line() const { return line_; }
  const Context& writer() const { return writer_.context(); }

  Result<void> push(const Context& patience, T value) {
    std::unique_lock lock(line_->mutex);
    const auto room = [this] { return abandoned_ || end_ || queue_.size() < capacity_; };
    if (!line_->changed.wait(lock, patience.stop_token(), room)) {
      return std::unexpected(*patience.error());
    }
    if (abandoned_) return std::unexpected(*abandoned_);
    if (end_) return std::unexpected(Error{Errc::closed, "closed"});
    queue_.push_back(std::make_unique<T>(std::move(value)));
    line_->changed.notify_all();
    return {};
  }

  Result<T> pull(const Context& patience) {
    std::unique_ptr<T> value;
    {
      std::unique_lock lock(line_->mutex);
      const auto news = [this] { return abandoned_ || end_ || !queue_.empty(); };
      if (!line_->changed.wait(lock, patience.stop_token(), news)) {
        return std::unexpected(*patience.error());
      }
      if (abandoned_) return std::unexpected(*abandoned_);
      if (queue_.empty()) return std::unexpected(*end_);
      value = std::move(queue_.front());
      queue_.pop_front();
      line_->changed.notify_all();
    }
    return std::move(*value);
  }

  void close(Error end) {
    const std::lock_guard lock(line_->mutex);
    if (!abandoned_ && !end_) end_ = std::move(end);
    line_->changed.notify_all();
  }

  void abandon(const Error& why) override {
    std::deque<std::unique_ptr<T>> unwanted;
    {
      const std::lock_guard lock(line_->mutex);
      if (abandoned_ || (end_ && queue_.empty())) return;
      abandoned_ = why;
      unwanted.swap(queue_);
      line_->changed.notify_all();
    }
    unwanted.clear();
    if (upstream_) upstream_->abandon(why);
    writer_.cancel(why);
  }

 private:
  const std::shared_ptr<Line> line_;
  const std::size_t capacity_;
  const std::shared_ptr<Upstream> upstream_;
  CancelSource writer_;
  std::deque<std::unique_ptr<T>> queue_;
  std::optional<Error> end_;
  std::optional<Error> abandoned_;
  std::unique_ptr<std::stop_callback<Fn<void()>>> line_end_;
};

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
      const Error why = out.line()->context.done() ? *out.line()->context.error() : made.error();
      out.close(why);
      return in.abandon(why);
    }
    if (!out.push(forever, *std::move(made))) return;
  }
}

inline Error nobody_pulls() { return {Errc::closed, "the end of the chain was dropped"}; }
inline Error empty_handle() { return {Errc::invalid_argument, "the handle refers to no chain"}; }

}  // namespace detail

template <class T>
class Intake {
 public:
  Intake(Intake&&) noexcept = default;
  Intake& operator=(Intake&& other) noexcept {
    Intake old(std::move(other));
    std::swap(link_, old.link_);
    return *this;
  }
  Intake(const Intake&) = delete;
  Intake& operator=(const Intake&) = delete;
  ~Intake() { fail(Error{Errc::broken_promise, "the intake went away without closing"}); }

  Result<void> push(const Context& patience, T value) const {
    if (!link_) return std::unexpected(detail::empty_handle());
    return link_->push(patience, std::move(value));
  }

  void close() const { fail(Error{Errc::closed, "the chain has ended"}); }

  void fail(Error error) const {
    if (link_) link_->close(std::move(error));
  }

 private:
  template <class V>
  friend std::pair<Intake<V>, Chain<V>> make_chain(const Context&, std::size_t);
  explicit Intake(std::shared_ptr<detail::Link<T>> link) : link_(std::move(link)) {}

  std::shared_ptr<detail::Link<T>> link_;
};

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

template <class T>
std::pair<Intake<T>, Chain<T>> make_chain(const Context& context, std::size_t capacity) {
  auto link = detail::Link<T>::make(std::make_shared<detail::Line>(context), capacity, nullptr);
  return {Intake<T>(link), Chain<T>(link)};
}

template <class U, class T>
Chain<U> then(Chain<T> chain, std::size_t capacity,
              std::type_identity_t<Fn<Result<U>(const Context&, T)>> fn) {
  auto in = std::exchange(chain.link_, nullptr);
  auto out = detail::Link<U>::make(
      in ? in->line() : std::make_shared<detail::Line>(Context::background()), capacity, in);
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
