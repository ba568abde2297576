// Right: the thread is started with nothing to do and sleeps on an atomic until it is given its
// job, a virtual class with a reference count made by hand.
#pragma once

#include <atomic>
#include <expected>
#include <memory>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

class Job {
 public:
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  virtual ~Job() = default;
  virtual void run() = 0;

 protected:
  Job() = default;
};

template <class T>
class ResultJob final : public Job {
 public:
  ResultJob(Fn<Result<T>()> fn, Sender<Result<T>> sender)
      : fn_(std::move(fn)), sender_(std::move(sender)) {}

  void run() override {
    if (!value()) sender_.send(std::unexpected(std::move(failure_)));
    sender_.close();
  }

 private:
  // False: fn threw, or moving what it returned did, and nothing was sent.
  bool value() {
    try {
      sender_.send(fn_());
      return true;
    } catch (...) {
      failure_ = error_from_current_exception();
      return false;
    }
  }

  Fn<Result<T>()> fn_;
  Sender<Result<T>> sender_;
  Error failure_;
};

// Where a thread waits for its job. Two own it, the giver and the thread; the last one deletes it.
class Desk {
 public:
  class Seat {
   public:
    explicit Seat(Desk* desk) : desk_(desk) {}
    Seat(Seat&& other) noexcept : desk_(std::exchange(other.desk_, nullptr)) {}
    Seat& operator=(Seat&&) = delete;
    ~Seat() {
      if (desk_ != nullptr && desk_->owners_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        delete desk_;
      }
    }
    Desk* operator->() const { return desk_; }

   private:
    Desk* desk_;
  };

  static std::pair<Seat, Seat> make() {
    auto* desk = new Desk;
    return {Seat(desk), Seat(desk)};
  }

  void give(std::unique_ptr<Job> job) {
    job_ = std::move(job);
    given_.store(1, std::memory_order_release);
    given_.notify_one();
  }

  std::unique_ptr<Job> take() {
    given_.wait(0, std::memory_order_acquire);
    return std::move(job_);
  }

 private:
  Desk() = default;
  ~Desk() = default;

  std::atomic<int> owners_{2};
  std::atomic<int> given_{0};
  std::unique_ptr<Job> job_;  // written before given_, read after it
};

}  // namespace detail

template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  // Everything that may fail comes before the thread, which would wait for ever.
  auto job = std::make_unique<detail::ResultJob<T>>(std::move(fn), std::move(sender));
  auto [mine, theirs] = detail::Desk::make();
  spawn([desk = std::move(theirs)]() mutable { desk->take()->run(); });
  mine->give(std::move(job));
  return receiver;
}

}  // namespace futures
