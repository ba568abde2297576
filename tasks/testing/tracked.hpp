// Values that know how many of their kind are alive, to show that nothing is kept for too long,
// destroyed twice, or copied behind the caller's back.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "gate.hpp"

namespace workbook {

namespace detail {

// Counts the instances of everything that derives from it under one Tag. The counters order
// nothing: they can't hide a race in what is being tested.
template <class Tag>
class Counted {
 public:
  // How many are alive in this process, moved-from ones included.
  static int live() { return live_.load(std::memory_order_relaxed); }

 protected:
  Counted() { live_.fetch_add(1, std::memory_order_relaxed); }
  Counted(const Counted&) : Counted() {}
  Counted& operator=(const Counted&) = default;
  ~Counted() { live_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  static inline std::atomic<int> live_{0};
};

}  // namespace detail

// Copyable and movable. A moved-from one has the value -1. Capture one in a function to see when
// its captures are destroyed: `EXPECT_EQ(Tracked::live(), 0)`.
class Tracked : public detail::Counted<Tracked> {
 public:
  explicit Tracked(int number = 0) : value(number) {}
  Tracked(const Tracked&) = default;
  Tracked& operator=(const Tracked&) = default;
  Tracked(Tracked&& other) noexcept : Counted(other), value(std::exchange(other.value, -1)) {}
  Tracked& operator=(Tracked&& other) noexcept {
    value = std::exchange(other.value, -1);
    return *this;
  }
  ~Tracked() = default;

  friend bool operator==(const Tracked& a, const Tracked& b) { return a.value == b.value; }

  int value;
};

// The same, but it can't be copied and has no default constructor: a T that asks nothing of a
// container but to be moved.
class MoveOnly : public detail::Counted<MoveOnly> {
 public:
  explicit MoveOnly(int number) : value(number) {}
  MoveOnly(const MoveOnly&) = delete;
  MoveOnly& operator=(const MoveOnly&) = delete;
  MoveOnly(MoveOnly&& other) noexcept : value(std::exchange(other.value, -1)) {}
  MoveOnly& operator=(MoveOnly&& other) noexcept {
    value = std::exchange(other.value, -1);
    return *this;
  }
  ~MoveOnly() = default;

  friend bool operator==(const MoveOnly& a, const MoveOnly& b) { return a.value == b.value; }

  int value;
};

// Calls a function when it is destroyed, unless it was moved from. Capture one, or make it the T,
// to find out what else goes on while user code is being destroyed: whose lock is held, say.
class LastWords {
 public:
  LastWords() = default;  // has none
  explicit LastWords(std::function<void()> words) : words_(std::move(words)) {}
  LastWords(const LastWords&) = default;
  LastWords& operator=(const LastWords&) = default;
  LastWords(LastWords&& other) noexcept : words_(std::exchange(other.words_, nullptr)) {}
  LastWords& operator=(LastWords&& other) noexcept {
    words_ = std::exchange(other.words_, nullptr);
    return *this;
  }
  ~LastWords() {
    if (words_) words_();
  }

 private:
  std::function<void()> words_;
};

// Lends a function a capture that takes its time to be destroyed, to find out whether a consumer
// has to wait for it. Captures may also go before the result is there: then nobody is kept waiting
// who could have it, and this one goes after a moment.
class Lingering {
 public:
  // For one capture. It stays until the consumer has the result, and then until it has all.
  LastWords capture() const {
    return LastWords([scene = scene_] {
      if (scene->has_result.wait_for(std::chrono::milliseconds(200)) && !scene->has_all.wait_for())
        scene->in_the_way = true;
    });
  }
  void consumer_has_the_result() { scene_->has_result.open(); }

  // Whether the consumer got what it asked for after the result only because the capture gave up.
  bool was_in_the_way() {
    scene_->has_all.open();
    return scene_->in_the_way;
  }

 private:
  struct Scene {
    Gate has_result;
    Gate has_all;
    std::atomic<bool> in_the_way{false};
  };
  std::shared_ptr<Scene> scene_ = std::make_shared<Scene>();
};

}  // namespace workbook
