// Right, and odd: no callback at all. One thread looks at every stage again and again, forwards for
// values and backwards for cancellations; it ends when there is no stage left.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "future.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

namespace polled {

using Name = std::string;

template <class T>
Name name_of(const Future<T>& future) {
  return {reinterpret_cast<const char*>(&future), sizeof future};
}

struct Job {
  virtual ~Job() = default;
  virtual bool look() = 0;       // true: over
  virtual bool cancelled() = 0;  // true: over
  Name own;
  Name waits_for;
};

class Poller {
 public:
  static Poller& instance() {
    static auto* poller = new Poller;
    return *poller;
  }

  void add(std::unique_ptr<Job> job) {
    const std::lock_guard lock(mutex_);
    incoming_.push_back(std::move(job));
    if (!std::exchange(running_, true)) std::thread([this] { run(); }).detach();
  }

  // On the poller's thread only.
  bool turn(Job& job, const Name& whom) {
    adopt();
    if (depends(whom, job.own)) return false;
    forget(job);
    job.waits_for = whom;
    note(job);
    return true;
  }

 private:
  void run() {
    do {
      bool busy = adopt();
      for (auto it = jobs_.begin(); it != jobs_.end();) busy |= step(it++, &Job::look);
      for (auto it = jobs_.end(); it != jobs_.begin();) {
        const auto current = std::prev(it);
        if (step(current, &Job::cancelled)) {
          busy = true;
        } else {
          it = current;
        }
      }
      if (!busy) std::this_thread::sleep_for(std::chrono::microseconds(200));
    } while (!idle());
  }

  bool step(std::list<std::unique_ptr<Job>>::iterator job, bool (Job::*what)()) {
    if (!((**job).*what)()) return false;
    forget(**job);
    jobs_.erase(job);
    return true;
  }

  bool idle() {
    const std::lock_guard lock(mutex_);
    if (!jobs_.empty() || !incoming_.empty()) return false;
    running_ = false;
    return true;
  }

  bool adopt() {
    std::list<std::unique_ptr<Job>> arrived;
    {
      const std::lock_guard lock(mutex_);
      arrived.swap(incoming_);
    }
    for (const auto& job : arrived) note(*job);
    const bool any = !arrived.empty();
    jobs_.splice(jobs_.end(), arrived);
    return any;
  }

  void note(const Job& job) {
    waiting_[job.own] = job.waits_for;
    ++awaited_[job.waits_for];
  }

  void forget(const Job& job) {
    waiting_.erase(job.own);
    if (--awaited_[job.waits_for] == 0) awaited_.erase(job.waits_for);
  }

  // Whether `late` is `early`, or waits for it.
  bool depends(Name late, const Name& early) const {
    if (late == early) return true;
    if (!awaited_.contains(early)) return false;
    for (auto it = waiting_.find(late); it != waiting_.end(); it = waiting_.find(late)) {
      late = it->second;
      if (late == early) return true;
    }
    return false;
  }

  std::mutex mutex_;
  std::list<std::unique_ptr<Job>> incoming_;
  bool running_ = false;
  std::list<std::unique_ptr<Job>> jobs_;
  std::unordered_map<Name, Name> waiting_;
  std::unordered_map<Name, std::size_t> awaited_;
};

template <class T, class U, class Function, class Made>
struct Stage : Job {
  using Call = Result<Made> (*)(Function, const Context&, Result<T>);

  static Future<U> start(const Context& context, const Future<T>& upstream, Function function,
                         Call call) {
    auto [output, resolver] = make_future<U>();
    auto job = std::make_unique<Stage>();
    job->own = name_of(output);
    job->waits_for = name_of(upstream);
    job->context = context;
    job->upstream = upstream;
    job->function = std::move(function);
    job->call = call;
    job->resolver.emplace(std::move(resolver));
    Poller::instance().add(std::move(job));
    return output;
  }

  bool look() override {
    if (inner) {
      if constexpr (std::is_same_v<Made, Future<U>>) {
        if (inner->settled()) return finish(inner->await(Context::background()));
      }
    } else if (upstream.settled()) {
      Result<Made> made = std::unexpected(Error{});
      try {
        made =
            call(std::exchange(function, nullptr), context, upstream.await(Context::background()));
      } catch (...) {
        made = std::unexpected(error_from_current_exception());
      }
      return go_on(std::move(made));
    }
    return cancelled();
  }

  bool cancelled() override {
    auto why = context.error();
    if (!why) why = resolver->context().error();
    if (!why) return false;
    function = nullptr;
    finish(std::unexpected(*why));
    if (inner) inner->cancel();
    upstream.cancel();
    return true;
  }

  bool go_on(Result<U> made) { return finish(std::move(made)); }
  bool go_on(Result<Future<U>> made) {
    if (!made) return finish(std::unexpected(made.error()));
    if (!Poller::instance().turn(*this, name_of(*made))) {
      return finish(std::unexpected(Error{Errc::invalid_argument, "a circle"}));
    }
    inner = *made;
    return look();
  }

  bool finish(Result<U> outcome) {
    if (outcome) {
      resolver->resolve(*std::move(outcome));
    } else {
      resolver->reject(outcome.error());
    }
    return true;
  }

  Context context = Context::background();
  Future<T> upstream;
  std::optional<Future<U>> inner;
  Function function;
  Call call;
  std::optional<Resolver<U>> resolver;
};

}  // namespace polled

template <class U, class T>
Future<U> then(const Context& context, Future<T> future,
               std::type_identity_t<Fn<Future<U>(const Context&, T)>> fn) {
  using Function = Fn<Future<U>(const Context&, T)>;
  return polled::Stage<T, U, Function, Future<U>>::start(
      context, future, std::move(fn),
      [](Function call, const Context& until, Result<T> outcome) -> Result<Future<U>> {
        if (!outcome) return std::unexpected(outcome.error());
        if (until.done()) return std::unexpected(*until.error());
        return call(until, *std::move(outcome));
      });
}

template <class U, class T>
Future<U> map(const Context& context, Future<T> future, std::type_identity_t<Fn<Result<U>(T)>> fn) {
  using Function = Fn<Result<U>(T)>;
  return polled::Stage<T, U, Function, U>::start(
      context, future, std::move(fn),
      [](Function call, const Context& until, Result<T> outcome) -> Result<U> {
        if (!outcome) return std::unexpected(outcome.error());
        if (until.done()) return std::unexpected(*until.error());
        return call(*std::move(outcome));
      });
}

template <class T>
Future<T> recover(const Context& context, Future<T> future,
                  std::type_identity_t<Fn<Result<T>(Error)>> fn) {
  using Function = Fn<Result<T>(Error)>;
  return polled::Stage<T, T, Function, T>::start(
      context, future, std::move(fn),
      [](Function call, const Context& until, Result<T> outcome) -> Result<T> {
        if (outcome) return outcome;
        if (until.done()) return std::unexpected(*until.error());
        return call(outcome.error());
      });
}

}  // namespace futures
