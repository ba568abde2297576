// Wrong: looks at the caller's context before it looks for room or a value; bites when both are
// there.
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

class Upstream {
 public:
  virtual ~Upstream() = default;
  virtual void abandon(const Error& why) = 0;
};

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

  const Context& line() const { return line_; }

  const Context& writer() const { return writer_.context(); }

  Result<void> push(const Context& patience, T value) {
    if (patience.done()) return std::unexpected(*patience.error());
    std::unique_lock lock(mutex_);
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
    if (patience.done()) return std::unexpected(*patience.error());
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
    room_.notify_all();
  }

  void abandon(const Error& why) override {
    std::deque<T> unwanted;
    {
      const std::lock_guard lock(mutex_);
      if (abandoned_ || (end_ && queue_.empty())) return;
      abandoned_ = why;
      unwanted.swap(queue_);
      news_.notify_all();
      room_.notify_all();
    }
    if (upstream_) upstream_->abandon(why);
    writer_.cancel(why);
  }

 private:
  struct GiveUp {
    std::weak_ptr<Link> link;
    void operator()() const {
      if (const auto self = link.lock()) self->abandon(*self->line_.error());
    }
  };

  const Context line_;
  const std::size_t capacity_;
  const std::shared_ptr<Upstream> upstream_;
  CancelSource writer_;
  std::mutex mutex_;
  std::condition_variable_any room_;
  std::condition_variable_any news_;
  std::deque<T> queue_;
  std::optional<Error> end_;
  std::optional<Error> abandoned_;
  std::optional<std::stop_callback<GiveUp>> line_end_;
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
      const Error why = out.line().done() ? *out.line().error() : made.error();
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
  auto link = detail::Link<T>::make(context, capacity, nullptr);
  return {Intake<T>(link), Chain<T>(link)};
}

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
