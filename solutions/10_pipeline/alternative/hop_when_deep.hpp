// Right: stages call each other; one in a hundred nested ones goes on on a fresh thread's stack.
#pragma once

#include <cstring>
#include <memory>
#include <optional>
#include <stop_token>
#include <system_error>
#include <type_traits>
#include <utility>

#include "future.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

template <class T>
bool same_future(const Future<T>& a, const Future<T>& b) {
  return std::memcmp(static_cast<const void*>(&a), static_cast<const void*>(&b), sizeof a) == 0;
}

// How many stages are running inside each other on this thread.
inline thread_local int nesting = 0;
inline constexpr int deepest = 100;

// Whoever cancels, the timer's thread for one, has not lent us its thread to run functions on.
inline thread_local bool borrowed = false;

template <class V>
class Scoped {
 public:
  Scoped(V& variable, V value) : variable_(variable), old_(std::exchange(variable, value)) {}
  Scoped(const Scoped&) = delete;
  Scoped& operator=(const Scoped&) = delete;
  ~Scoped() { variable_ = old_; }

 private:
  V& variable_;
  V old_;
};

template <class Job>
void elsewhere(Job job) {
  const auto shared = std::make_shared<Job>(std::move(job));
  try {
    spawn([shared] { (*shared)(); });
  } catch (const std::system_error&) {
    (*shared)();  // no thread to be had: better deep than not at all
  }
}

// One wait of one stage: for `upstream`, to do `next` with its result, unless ctx ends before.
template <class T, class U>
class Link : public std::enable_shared_from_this<Link<T, U>> {
 public:
  using Output = std::shared_ptr<Resolver<U>>;
  using Next = Fn<void(const Result<T>&)>;
  enum class Calls { on_value, on_error, never };  // when does `next` call the user's function?

  static void start(Context context, Future<T> upstream, Output output, Calls calls, Next next) {
    auto link = std::make_shared<Link>();
    link->context_ = std::move(context);
    link->upstream_ = std::move(upstream);
    link->output_ = std::move(output);
    link->calls_ = calls;
    link->next_ = std::move(next);
    link->upstream_.on_settled([link](const Result<T>& result) {
      const bool user = link->calls_ == (result ? Calls::on_value : Calls::on_error);
      if (nesting >= deepest || (borrowed && user)) {
        elsewhere([link, result] { link->proceed(result); });
      } else {
        const Scoped deeper(nesting, nesting + 1);
        link->proceed(result);
      }
    });
    link->watch_.emplace(link->context_.stop_token(), Watch{link.get()});
  }

 private:
  struct Watch {
    Link* link;
    void operator()() const {
      if (const auto self = link->weak_from_this().lock()) self->give_up();
    }
  };

  void proceed(const Result<T>& result) {
    const bool user = calls_ == (result ? Calls::on_value : Calls::on_error);
    if (const auto ended = context_.error(); ended && user) {
      output_->reject(*ended);
    } else {
      std::exchange(next_, nullptr)(result);
    }
  }

  void give_up() {
    const Scoped on_loan(borrowed, true);
    if constexpr (std::is_same_v<T, U>) {
      // A value that only has to be handed on, and is there, beats the cancellation.
      if (calls_ != Calls::on_value && upstream_.settled()) {
        if (auto result = upstream_.await(context_)) {
          output_->resolve(*std::move(result));
          return;
        }
      }
    }
    output_->reject(*context_.error());
    upstream_.cancel();
  }

  Context context_ = Context::background();
  Future<T> upstream_;
  Output output_;
  Calls calls_ = Calls::never;
  Next next_;
  std::optional<std::stop_callback<Watch>> watch_;  // last: destroyed first
};

template <class U>
void settle(Resolver<U>& output, Result<U> result) {
  if (result) {
    output.resolve(*std::move(result));
  } else {
    output.reject(std::move(result).error());
  }
}

}  // namespace detail

template <class U, class T>
Future<U> then(const Context& context, Future<T> future,
               std::type_identity_t<Fn<Future<U>(const Context&, T)>> fn) {
  using First = detail::Link<T, U>;
  using Second = detail::Link<U, U>;
  auto [result, resolver] = make_future<U>();
  auto output = std::make_shared<Resolver<U>>(std::move(resolver));
  First::start(context, std::move(future), output, First::Calls::on_value,
               [context, output, result, fn = std::move(fn)](const Result<T>& value) mutable {
                 if (!value) {
                   output->reject(value.error());
                   return;
                 }
                 Result<Future<U>> inner = [&]() -> Result<Future<U>> {
                   try {
                     return fn(context, *value);
                   } catch (...) {
                     return std::unexpected(error_from_current_exception());
                   }
                 }();
                 if (!inner) {
                   output->reject(std::move(inner).error());
                 } else if (detail::same_future(*inner, result)) {
                   output->reject(Error{Errc::invalid_argument, "a future can't wait for itself"});
                 } else {
                   Second::start(context, *std::move(inner), output, Second::Calls::never,
                                 [output](const Result<U>& r) { detail::settle(*output, r); });
                 }
               });
  return result;
}

template <class U, class T>
Future<U> map(const Context& context, Future<T> future, std::type_identity_t<Fn<Result<U>(T)>> fn) {
  using Link = detail::Link<T, U>;
  auto [result, resolver] = make_future<U>();
  auto output = std::make_shared<Resolver<U>>(std::move(resolver));
  Link::start(context, std::move(future), output, Link::Calls::on_value,
              [output, fn = std::move(fn)](const Result<T>& value) mutable {
                detail::settle<U>(*output, [&]() -> Result<U> {
                  if (!value) return std::unexpected(value.error());
                  try {
                    return fn(*value);
                  } catch (...) {
                    return std::unexpected(error_from_current_exception());
                  }
                }());
              });
  return result;
}

template <class T>
Future<T> recover(const Context& context, Future<T> future,
                  std::type_identity_t<Fn<Result<T>(Error)>> fn) {
  using Link = detail::Link<T, T>;
  auto [result, resolver] = make_future<T>();
  auto output = std::make_shared<Resolver<T>>(std::move(resolver));
  Link::start(context, std::move(future), output, Link::Calls::on_error,
              [output, fn = std::move(fn)](const Result<T>& value) mutable {
                detail::settle<T>(*output, [&]() -> Result<T> {
                  if (value) return value;
                  try {
                    return fn(value.error());
                  } catch (...) {
                    return std::unexpected(error_from_current_exception());
                  }
                }());
              });
  return result;
}

}  // namespace futures
