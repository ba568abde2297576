// For tests of calls that may take long, or never return: a limit that shrinks once it was reached,
// and calls on threads of their own.
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <exception>
#include <expected>
#include <string>
#include <thread>
#include <utility>

#include "eventually.hpp"
#include "gate.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace workbook {

// What a test must not have to wait for: its patience, until it has been disappointed once. A suite
// that has failed anyway shall not take long over it. Safe to use from many threads at once.
class Patience {
 public:
  using Duration = std::chrono::steady_clock::duration;

  explicit Patience(Duration at_first) : at_first_(at_first) {}

  Duration operator()() const {
    constexpr std::chrono::seconds afterwards{3};
    return disappointed_ ? Duration(afterwards) : at_first_;
  }
  void disappoint() { disappointed_ = true; }

  // As workbook::eventually(), with this patience; running out of it is a disappointment.
  template <std::predicate Pred>
  [[nodiscard]] bool eventually(Pred pred) {
    const bool in_time = workbook::eventually(std::move(pred), (*this)());
    if (!in_time) disappoint();
    return in_time;
  }

 private:
  const Duration at_first_;
  std::atomic<bool> disappointed_{false};
};

// Calls something on a thread of its own, under a context that ends when `patience` does, or with
// cancel(). What it throws is an Error. The destructor waits for the end of the call.
template <class T>
class Caller {
 public:
  template <class Call>  // const futures::Context& -> futures::Result<T>
  Caller(Patience& patience, Call call)
      : patience_(patience),
        source_(futures::with_timeout(futures::Context::background(), patience())),
        thread_([this, call = std::move(call)]() mutable {
          try {
            result_ = call(source_.context());
          } catch (const std::exception& e) {
            result_ = threw(std::string("the call threw: ") + e.what());
          } catch (...) {
            result_ = threw("the call threw");
          }
          const auto ended = source_.context().error();
          out_of_patience_ = ended && ended->code == futures::Errc::deadline_exceeded;
          if (out_of_patience_) patience_.disappoint();
          returned_.open();
        }) {}
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;
  ~Caller() { thread_.join(); }

  void cancel() { source_.cancel(); }
  void cancel(futures::Error why) { source_.cancel(std::move(why)); }
  bool has_returned() const { return returned_.is_open(); }
  // False: it has not, or only because our patience was its context's.
  bool returns() {
    const bool returned = returned_.wait_for(patience_() + std::chrono::seconds(5));
    if (!returned) patience_.disappoint();
    return returned && !out_of_patience_;
  }
  // Waits for the end of the call.
  const futures::Result<T>& result() {
    returned_.wait();
    return result_;
  }

 private:
  static futures::Result<T> threw(std::string how) {
    return std::unexpected(futures::Error{futures::Errc::exception, std::move(how)});
  }

  Patience& patience_;
  futures::CancelSource source_;
  Gate returned_;
  futures::Result<T> result_ =
      std::unexpected(futures::Error{futures::Errc::closed, "the call has not returned"});
  bool out_of_patience_ = false;
  std::thread thread_;
};

}  // namespace workbook
