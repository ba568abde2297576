// Task 9: combinators, or how to wait for many futures with one thread.
#pragma once

#include <vector>

#include "future.hpp"  // task 5: yours when it passes, else the reference
#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

// All three block the calling thread until they have what they want or the context has ended, and
// start no thread per input. They may be called from any number of threads at once, on the same
// futures, too. Inputs may be settled already; a future may appear more than once.
//
// An outcome that is already there counts, even when the context has ended.
//
// When one of them returns, whatever is still pending among its inputs has been cancelled
// (Future::cancel): the losers, the siblings of a failure, everything when the context ended.

// The values, in the order of the inputs. As soon as one input fails, whatever its position: the
// error of the one that failed first in time. When the context ends first: the context's error.
// No inputs: no values.
template <class T>
Result<std::vector<T>> all([[maybe_unused]] const Context& context,
                           [[maybe_unused]] std::vector<Future<T>> futures) {
  not_implemented();
}

// The first success in time; failures before it don't matter. When every input has failed: an error
// whose message has the message of each. When the context ends first: the context's error. No
// inputs: Errc::invalid_argument.
template <class T>
Result<T> first([[maybe_unused]] const Context& context,
                [[maybe_unused]] std::vector<Future<T>> futures) {
  not_implemented();
}

// Every outcome, value or error, in the order of the inputs; no failure ends it early. When the
// context ends: the outcomes that are there, and the context's error in the place of the others.
template <class T>
std::vector<Result<T>> wait_all([[maybe_unused]] const Context& context,
                                [[maybe_unused]] std::vector<Future<T>> futures) {
  not_implemented();
}

}  // namespace futures
