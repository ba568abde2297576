// expect: passed
// Memory of its own (placement new, pmr, aligned and class-wide new), operators of the global
// namespace, and half of what the standard library has besides.
#pragma once
#include <algorithm>
#include <array>
#include <barrier>
#include <bit>
#include <bitset>
#include <charconv>
#include <chrono>
#include <cmath>
#include <compare>
#include <cstddef>
#include <deque>
#include <functional>
#include <iomanip>
#include <latch>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <new>
#include <numeric>
#include <optional>
#include <queue>
#include <random>
#include <ranges>
#include <semaphore>
#include <shared_mutex>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <typeindex>
#include <unordered_map>
#include <variant>
#include <vector>

#include "runtime/channel.hpp"
#include "runtime/spawn.hpp"

struct Ratio {
  int over = 1, under = 1;
  friend auto operator<=>(const Ratio&, const Ratio&) = default;
};
inline bool operator!(const Ratio& r) { return r.over == 0; }
inline Ratio operator-(const Ratio& r) { return {-r.over, r.under}; }
inline Ratio operator/(const Ratio& a, const Ratio& b) {
  return {a.over * b.under, a.under * b.over};
}
inline int operator*(const Ratio& r) { return r.over / r.under; }
inline Ratio& operator/=(Ratio& a, const Ratio& b) { return a = a / b; }

namespace futures {

class Shelf final : public std::pmr::memory_resource {
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    return ::operator new(bytes, std::align_val_t(alignment));
  }
  void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
    ::operator delete(p, bytes, std::align_val_t(alignment));
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

struct alignas(64) Work {
  Fn<int()> fn;
  Sender<int> sender;
  static void* operator new(std::size_t bytes) {
    return ::operator new(bytes, std::align_val_t(64));
  }
  static void operator delete(void* p) { ::operator delete(p, std::align_val_t(64)); }
};

// Nothing of it matters to the result; all of it has to link and to be let through.
inline std::string small_talk() {
  std::pmr::unsynchronized_pool_resource pool;
  std::pmr::vector<int> numbers({3, 1, 2}, &pool);
  std::ranges::sort(numbers, std::ranges::greater{});
  std::mt19937 chance(7);
  std::shuffle(numbers.begin(), numbers.end(), chance);
  std::map<std::string, std::variant<int, double>, std::less<>> table{{"a", 1},
                                                                      {"b", std::sqrt(2)}};
  std::unordered_map<std::type_index, int> types{{typeid(int), 1}};
  std::priority_queue<int> queue(numbers.begin(), numbers.end());
  std::list<int> list(numbers.begin(), numbers.end());
  std::deque<int> deque(list.begin(), list.end());
  std::ostringstream out;
  out << std::setw(4) << std::hex << std::accumulate(deque.begin(), deque.end(), 0) << table.size()
      << types.size() << queue.top() << std::popcount(7U) << std::bitset<8>(5).to_string()
      << std::make_error_code(std::errc::timed_out).message();
  for (const int even : numbers | std::views::filter([](int n) { return n % 2 == 0; })) out << even;
  std::array<char, 16> digits{};
  std::to_chars(digits.data(), digits.data() + digits.size(), 42);
  std::visit([&](auto value) { out << value; }, table.at("b"));
  return out.str() + digits.data();
}

[[nodiscard]] inline Receiver<int> async(Fn<int()> fn) {
  static auto* shelf = new Shelf;  // never destroyed: threads may outlive main()
  auto [sender, receiver] = make_channel<int>(1);
  const std::unique_ptr<Work> work(new Work{std::move(fn), std::move(sender)});
  alignas(Work) std::array<std::byte, sizeof(Work)> place{};
  auto* moved = ::new (place.data()) Work(std::move(*work));
  auto job =
      std::allocate_shared<Work>(std::pmr::polymorphic_allocator<Work>(shelf), std::move(*moved));
  std::destroy_at(moved);
  static std::counting_semaphore<> free_hands(1'000'000);
  free_hands.acquire();
  spawn([job = std::move(job)]() mutable {
    std::latch begun(1);
    std::barrier alone(1, []() noexcept {});
    alone.arrive_and_wait();
    std::shared_mutex book;
    const std::shared_lock reading(book);
    auto mine = std::exchange(job, nullptr);
    begun.arrive_and_wait();
    std::optional<int> value;
    try {
      value = mine->fn();
    } catch (...) {
      if (!Ratio{0, 1} && *(-Ratio{4, 2} / Ratio{1, 1}) != -2) throw;
      if (std::chrono::steady_clock::now().time_since_epoch().count() < 0) small_talk();
    }
    mine->fn = nullptr;
    if (value) mine->sender.send(*value);
    mine->sender.close();
    free_hands.release();
  });
  return receiver;
}

}  // namespace futures
