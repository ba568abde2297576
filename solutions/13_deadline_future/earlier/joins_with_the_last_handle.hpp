// Wrong: a std::jthread that the handles own, so the last one joins; bites when fn itself drops the
// last handle (it joins itself: terminate), and whoever drops it waits for fn.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

namespace detail {

template <class T>
struct Errand {
  CancelSource source = with_cancel(Context::background());
  std::mutex mutex;
  std::condition_variable_any changed;
  std::optional<Result<T>> outcome;  // guarded by mutex; constant once there

  void run(Fn<Result<T>(const Context&)> fn) {
    std::optional<Result<T>> result;
    try {
      result.emplace(fn(source.context()));
    } catch (...) {
      result.emplace(std::unexpected(error_from_current_exception()));
    }
    fn = nullptr;
    source.cancel(Error{Errc::cancelled, "done"});
    const std::lock_guard lock(mutex);
    outcome.emplace(*std::move(result));
    changed.notify_all();
  }
};

// No thread is left behind: its owner waits for it.
template <class T>
struct Employer {
  std::shared_ptr<Errand<T>> errand;
  std::jthread worker;

  Employer(std::shared_ptr<Errand<T>> e, Fn<Result<T>(const Context&)> fn)
      : errand(std::move(e)), worker([errand = errand, fn = std::move(fn)]() mutable {
          const auto keep = std::move(errand);
          keep->run(std::move(fn));
        }) {}
  Employer(const Employer&) = delete;
  Employer& operator=(const Employer&) = delete;
  ~Employer() { errand->source.cancel(); }  // then ~jthread
};

}  // namespace detail

template <class T>
class DeadlineFuture {
 public:
  explicit DeadlineFuture(std::shared_ptr<detail::Employer<T>> employer)
      : employer_(std::move(employer)) {}

  Result<T> await(const Context& ctx) {
    const auto errand = employer_->errand;
    if (const auto deadline = ctx.deadline()) errand->source.tighten(*deadline);
    {
      std::unique_lock lock(errand->mutex);
      if (errand->changed.wait(lock, ctx.stop_token(),
                               [&] { return errand->outcome.has_value(); })) {
        lock.unlock();
        return *errand->outcome;
      }
    }
    if (const auto deadline = ctx.deadline()) errand->source.tighten(*deadline);
    return std::unexpected(*ctx.error());
  }
  std::optional<Clock::time_point> deadline() const {
    return employer_->errand->source.context().deadline();
  }
  void cancel() {
    const auto errand = employer_->errand;
    errand->source.cancel();
  }

 private:
  std::shared_ptr<detail::Employer<T>> employer_;
};

template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn) {
  auto errand = std::make_shared<detail::Errand<T>>();
  return DeadlineFuture<T>(std::make_shared<detail::Employer<T>>(std::move(errand), std::move(fn)));
}

}  // namespace futures
