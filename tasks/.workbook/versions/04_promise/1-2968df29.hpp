// Task 4: a promise that settles once.
#pragma once

#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

// A place for one result that does not exist yet. Whoever has it calls resolve() or reject();
// whoever needs it calls await(). The first to settle wins, and what it said stays.
//
// Every member may be called from any number of threads at once. A promise may be destroyed as soon
// as an await() has returned its result, even if the resolve() that delivered it has not returned
// yet; nobody else may be inside await() or call anything then.
template <class T>
class Promise {
 public:
  // A new promise is not settled. T need not have a default constructor.
  Promise() = default;
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;

  // Settles the promise with a value. True: this call did it. False: it was settled before; the
  // value is dropped and nothing changes.
  bool resolve([[maybe_unused]] T value) { not_implemented(); }

  // Settles the promise with an error; otherwise as resolve().
  bool reject([[maybe_unused]] Error error) { not_implemented(); }

  // Waits for the result; everybody gets a copy of the same one. When the context ends first:
  // the context's error, and the promise is as if nobody had asked. A result that is already there
  // is returned whether the context has ended or not.
  Result<T> await([[maybe_unused]] const Context& context) const { not_implemented(); }

  // Whether a result is there. Once true, await() returns at once.
  bool settled() const { not_implemented(); }
};

}  // namespace futures
