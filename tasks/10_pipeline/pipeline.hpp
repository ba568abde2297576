// Task 10: a pipeline of futures, in which nobody waits but the futures themselves.
#pragma once

#include <cstring>
#include <type_traits>

#include "future.hpp"  // task 5: yours when it passes, else the reference
#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

namespace detail {

// Given. Whether two handles refer to the same future. Future has no ==, but what makes a handle
// refer to a future is what is in the handle, so copies have the same bytes.
template <class T>
bool same_future(const Future<T>& a, const Future<T>& b) {
  return std::memcmp(static_cast<const void*>(&a), static_cast<const void*>(&b), sizeof a) == 0;
}

}  // namespace detail

// All three return a new future, the output, at once. They start no thread, not even while nothing
// has happened yet, and may be called from any number of threads, on the same future, too.
//
// fn is called once at most, with no lock held: it may use the output, `future`, the context. It is
// destroyed with its captures once the output and what it waited for have settled.
// What it throws, whatever it is, becomes an Error of the output, with the code Errc::exception.
//
// When the context ends while the output is pending (or had ended before), the output fails with
// the context's error, without waiting for anybody, and whatever it was waiting for is cancelled
// (Future::cancel). Once the context has ended, fn is not called any more.
//
// However many stages are made from one another: when one of them settles, fails or is cancelled,
// and when they are destroyed, the stack does not get deeper with every stage.

// The output settles like the future that fn returns for the value of `future`. When `future`
// fails, so does the output, with the same error and without a call of fn. When fn returns the
// output itself, which can't settle before it has settled, the output fails. fn's context ends when
// `context` does.
template <class U, class T>
Future<U> then([[maybe_unused]] const Context& context, [[maybe_unused]] Future<T> future,
               [[maybe_unused]] std::type_identity_t<Fn<Future<U>(const Context&, T)>> fn) {
  not_implemented();
}

// The output is what fn makes of the value of `future`. When `future` fails, so does the output,
// with the same error and without a call of fn. U may be a type that can only be moved.
template <class U, class T>
Future<U> map([[maybe_unused]] const Context& context, [[maybe_unused]] Future<T> future,
              [[maybe_unused]] std::type_identity_t<Fn<Result<U>(T)>> fn) {
  not_implemented();
}

// The output is the value of `future`, and then fn is not called; or, when `future` fails, what fn
// makes of the error, whichever error it is. But not of one that comes when the context has ended:
// that pipeline was cancelled by its own caller, who wants no other value instead.
template <class T>
Future<T> recover([[maybe_unused]] const Context& context, [[maybe_unused]] Future<T> future,
                  [[maybe_unused]] std::type_identity_t<Fn<Result<T>(Error)>> fn) {
  not_implemented();
}

}  // namespace futures
