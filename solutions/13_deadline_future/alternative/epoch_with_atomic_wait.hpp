// Right: no mutex and no condition variable, awaiters sleep on an atomic counter of events
// (settled, or some awaiter's context ended).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

template <class T>
class DeadlineFuture {
  class Core {
   public:
    void work(Fn<Result<T>(const Context&)>&& given) {
      {
        Fn<Result<T>(const Context&)> fn = std::move(given);
        try {
          outcome_.emplace(fn(source.context()));
        } catch (...) {
          outcome_.emplace(std::unexpected(error_from_current_exception()));
        }
      }
      source.cancel(Error{Errc::cancelled, "fn has returned"});
      settled_.store(true);
      happened();
    }

    Result<T> await(const Context& ctx) {
      bring(ctx);
      if (wait(ctx)) return *outcome_;
      bring(ctx);  // fn hears of a deadline before our caller does
      return std::unexpected(*ctx.error());
    }

    CancelSource source = with_cancel(Context::background());

   private:
    void happened() {
      events_.fetch_add(1);
      events_.notify_all();
    }

    // Whether there is an outcome; else the context has ended.
    bool wait(const Context& ctx) {
      const std::stop_callback on_end(ctx.stop_token(), [this] { happened(); });
      while (true) {
        // Counted before the looks: what happens after them changes the number.
        const auto seen = events_.load();
        const bool over = ctx.done();
        if (settled_.load()) return true;
        if (over) return false;
        events_.wait(seen);
      }
    }

    void bring(const Context& ctx) {
      if (settled_.load()) return;
      if (const auto deadline = ctx.deadline()) source.tighten(*deadline);
    }

    std::atomic<std::uint32_t> events_{0};
    std::atomic<bool> settled_{false};
    std::optional<Result<T>> outcome_;  // written before settled_, constant after it
  };

 public:
  Result<T> await(const Context& ctx) {
    const auto hold = hold_;
    return hold->await(ctx);
  }
  std::optional<Clock::time_point> deadline() const { return hold_->source.context().deadline(); }
  void cancel() {
    const auto hold = hold_;
    hold->source.cancel(Error{Errc::cancelled, "the work was cancelled"});
  }

  // What go_with_deadline() does.
  explicit DeadlineFuture(Fn<Result<T>(const Context&)> fn) {
    auto core = std::make_shared<Core>();
    hold_ = {core.get(), [core](Core* last) {
               last->source.cancel(Error{Errc::cancelled, "no handle is left"});
             }};
    std::thread([core = std::move(core), fn = std::move(fn)]() mutable {
      core->work(std::move(fn));
    }).detach();
  }

 private:
  std::shared_ptr<Core> hold_;
};

template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn) {
  return DeadlineFuture<T>(std::move(fn));
}

}  // namespace futures
