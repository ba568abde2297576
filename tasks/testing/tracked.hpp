// Values that know how many of their kind are alive, to show that nothing is kept for too long,
// destroyed twice, or copied behind the caller's back.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <utility>

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

}  // namespace workbook
