// Right, and odd: each future has a second thread, a secretary. Awaiters drop their deadlines into
// its mailbox, a channel, and never touch fn's context themselves; it leaves when fn has returned.
// Not a thread per await, however many there are. Each awaiter waits on a channel of its own.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

template <class T>
struct Desk {
  using Mailbox = std::pair<Sender<Clock::time_point>, Receiver<Clock::time_point>>;

  explicit Desk(Context c) : fns(std::move(c)) {}

  const Context fns;
  Mailbox mailbox = make_channel<Clock::time_point>(16);
  std::mutex mutex;
  std::vector<Sender<Result<T>>> awaiters;  // guarded by mutex
  std::optional<Result<T>> outcome;         // guarded by mutex
};

// Takes fn's context with it when the last handle or the secretary says so.
struct Office {
  CancelSource producer = with_cancel(Context::background());
};

}  // namespace detail

template <class T>
class DeadlineFuture;
template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn);

template <class T>
class DeadlineFuture {
 public:
  Result<T> await(const Context& ctx) {
    auto [sender, receiver] = make_channel<Result<T>>(1);
    {
      const std::lock_guard lock(desk_->mutex);
      if (desk_->outcome) return *desk_->outcome;
      desk_->awaiters.push_back(sender);
    }
    if (const auto deadline = ctx.deadline()) desk_->mailbox.first.send(*deadline);
    auto answer = receiver.receive(ctx);
    if (answer) return std::move(*answer);
    // fn may have returned all the same, and be on its way round the awaiters.
    const std::lock_guard lock(desk_->mutex);
    if (desk_->outcome) return *desk_->outcome;
    return std::unexpected(answer.error());
  }

  std::optional<Clock::time_point> deadline() const { return desk_->fns.deadline(); }

  void cancel() { office_->producer.cancel(); }

 private:
  friend DeadlineFuture go_with_deadline<T>(Fn<Result<T>(const Context&)>);
  DeadlineFuture(std::shared_ptr<detail::Office> office, std::shared_ptr<detail::Desk<T>> desk)
      : office_(std::move(office)), desk_(std::move(desk)) {}

  std::shared_ptr<detail::Office> office_;  // its end cancels
  std::shared_ptr<detail::Desk<T>> desk_;
};

template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn) {
  auto office = std::make_shared<detail::Office>();
  auto desk = std::make_shared<detail::Desk<T>>(office->producer.context());
  DeadlineFuture<T> future(office, desk);
  spawn([weak = std::weak_ptr(office), desk] {
    while (const auto deadline = desk->mailbox.second.receive()) {
      // A deadline that finds no office: nobody holds a handle, fn is cancelled already.
      if (const auto open = weak.lock()) open->producer.tighten(*deadline);
    }
    if (const auto open = weak.lock()) open->producer.cancel();
  });
  spawn([desk, fn = std::move(fn)]() mutable {
    const auto call = [&]() -> Result<T> {
      try {
        return fn(desk->fns);
      } catch (...) {
        return std::unexpected(error_from_current_exception());
      }
    };
    auto result = call();
    fn = nullptr;
    std::vector<Sender<Result<T>>> awaiters;
    {
      const std::lock_guard lock(desk->mutex);
      desk->outcome = result;
      awaiters.swap(desk->awaiters);
    }
    desk->mailbox.first.close();
    for (auto& awaiter : awaiters) awaiter.send(result);
  });
  return future;
}

}  // namespace futures
