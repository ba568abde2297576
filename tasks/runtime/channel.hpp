// Channels: values that travel between threads, one at a time, in order.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "context.hpp"
#include "error.hpp"

namespace futures {

namespace detail {

template <class T>
class Channel {
 public:
  explicit Channel(std::size_t capacity) : capacity_(capacity) {}

  bool send(T value) {
    std::unique_lock lock(mutex_);
    not_full_.wait(lock, [this] { return closed_ || has_room(); });
    return push(std::move(value));
  }

  bool send(const Context& context, T value) {
    std::unique_lock lock(mutex_);
    // Waiting with a stop token checks the predicate first: room that is there beats a
    // cancellation.
    if (!not_full_.wait(lock, context.stop_token(), [this] { return closed_ || has_room(); })) {
      return false;
    }
    return push(std::move(value));
  }

  bool try_send(T value) {
    const std::lock_guard lock(mutex_);
    return has_room() && push(std::move(value));
  }

  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    // Under the lock: a woken thread may drop the last handle and with it this channel.
    not_empty_.notify_all();
    not_full_.notify_all();
  }

  std::optional<T> receive() {
    std::unique_lock lock(mutex_);
    const Waiting waiting(*this);
    not_empty_.wait(lock, [this] { return readable(); });
    return pop();
  }

  template <class Rep, class Period>
  std::optional<T> receive_for(std::chrono::duration<Rep, Period> duration) {
    std::unique_lock lock(mutex_);
    const Waiting waiting(*this);
    not_empty_.wait_until(lock, after(duration), [this] { return readable(); });
    return pop();
  }

  Result<T> receive(const Context& context) {
    std::unique_lock lock(mutex_);
    const Waiting waiting(*this);
    const bool readable_now =
        not_empty_.wait(lock, context.stop_token(), [this] { return readable(); });
    if (auto value = pop()) return *std::move(value);
    if (readable_now) return std::unexpected(Error{Errc::closed, "the channel is closed"});
    return std::unexpected(*context.error());
  }

  std::optional<T> try_receive() {
    const std::lock_guard lock(mutex_);
    return pop();
  }

  bool closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
  }

 private:
  // A receiver that waits, or is about to, makes room for one value more. That is all there is to a
  // rendezvous: with capacity 0 a send goes through exactly when a receiver is there to take it. A
  // receiver that gives up looks into the buffer once more, so no value is stranded.
  struct Waiting {
    explicit Waiting(Channel& c) : channel(c) {
      ++channel.receivers_waiting_;
      channel.not_full_.notify_one();
    }
    ~Waiting() { --channel.receivers_waiting_; }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    Channel& channel;
  };

  // All below: call with mutex_ held.
  bool has_room() const { return !closed_ && buffer_.size() < capacity_ + receivers_waiting_; }
  bool readable() const { return closed_ || !buffer_.empty(); }

  bool push(T value) {
    if (closed_) return false;
    buffer_.push_back(std::move(value));
    not_empty_.notify_one();
    return true;
  }

  std::optional<T> pop() {
    if (buffer_.empty()) return std::nullopt;
    std::optional<T> value(std::move(buffer_.front()));
    buffer_.pop_front();
    not_full_.notify_one();
    return value;
  }

  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable_any not_empty_;
  std::condition_variable_any not_full_;
  std::deque<T> buffer_;  // guarded by mutex_, as all below
  std::size_t receivers_waiting_ = 0;
  bool closed_ = false;
};

}  // namespace detail

template <class T>
class Sender;
template <class T>
class Receiver;

// A channel with room for `capacity` values. Capacity 0 is a rendezvous: a send waits until a
// receiver is there to take the value.
template <class T>
std::pair<Sender<T>, Receiver<T>> make_channel(std::size_t capacity);

// The writing end; copies write to the same channel. A handle, so const says nothing about the
// channel. Safe to use from many threads at once. Dropping every Sender does not close the
// channel: closing is a message ("no more will come") that somebody has to send.
template <class T>
class Sender {
 public:
  // Blocks while the channel is full. False: it is, or was meanwhile, closed; the value is gone.
  bool send(T value) const { return channel_->send(std::move(value)); }

  // As above; also false when the context ended before there was room.
  bool send(const Context& context, T value) const {
    return channel_->send(context, std::move(value));
  }

  // Never blocks. False: full or closed (with capacity 0: nobody is waiting for a value).
  bool try_send(T value) const { return channel_->try_send(std::move(value)); }

  // What was sent before can still be received. Closing again does nothing.
  void close() const { channel_->close(); }

 private:
  friend std::pair<Sender<T>, Receiver<T>> make_channel<T>(std::size_t capacity);
  explicit Sender(std::shared_ptr<detail::Channel<T>> channel) : channel_(std::move(channel)) {}

  std::shared_ptr<detail::Channel<T>> channel_;
};

// The reading end; copies read from the same channel, and each value goes to one of them. A handle,
// safe to use from many threads at once.
template <class T>
class Receiver {
 public:
  // Blocks until there is a value. nullopt: closed and drained.
  std::optional<T> receive() const { return channel_->receive(); }

  // Never blocks. nullopt: nothing there now, whether closed or not.
  std::optional<T> try_receive() const { return channel_->try_receive(); }

  // nullopt: nothing came in time, or closed and drained; closed() tells which.
  template <class Rep, class Period>
  std::optional<T> receive_for(std::chrono::duration<Rep, Period> duration) const {
    return channel_->receive_for(duration);
  }

  // A value; or Errc::closed; or the context's error. A value that is already there is returned
  // even when the context has ended.
  Result<T> receive(const Context& context) const { return channel_->receive(context); }

  // Whether close() was called. Values sent before may still be waiting.
  bool closed() const { return channel_->closed(); }

 private:
  friend std::pair<Sender<T>, Receiver<T>> make_channel<T>(std::size_t capacity);
  explicit Receiver(std::shared_ptr<detail::Channel<T>> channel) : channel_(std::move(channel)) {}

  std::shared_ptr<detail::Channel<T>> channel_;
};

template <class T>
std::pair<Sender<T>, Receiver<T>> make_channel(std::size_t capacity) {
  auto channel = std::make_shared<detail::Channel<T>>(capacity);
  return {Sender<T>(channel), Receiver<T>(channel)};
}

}  // namespace futures
