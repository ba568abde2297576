// Wrong: what loses the race to settle goes on a list that is freed with the promise; bites when
// two settle at the same moment: the second one's value is kept as long as the promise.
#pragma once

#include <atomic>
#include <condition_variable>
#include <expected>
#include <memory>
#include <mutex>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

template <class T>
class Promise {
 public:
  Promise() = default;
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;

  bool resolve(T value) {
    if (settled()) return false;
    return offer(std::make_unique<Offer>(Result<T>(std::in_place, std::move(value))));
  }
  bool reject(Error error) {
    if (settled()) return false;
    return offer(std::make_unique<Offer>(Result<T>(std::unexpect, std::move(error))));
  }

  Result<T> await(const Context& context) const {
    const auto table = table_;
    if (const Offer* winner = table->winner.load(std::memory_order_acquire)) return winner->result;
    std::unique_lock lock(table->mutex);
    table->decided.wait(lock, context.stop_token(),
                        [&] { return table->winner.load(std::memory_order_acquire) != nullptr; });
    lock.unlock();
    if (const Offer* winner = table->winner.load(std::memory_order_acquire)) return winner->result;
    return std::unexpected(*context.error());
  }

  bool settled() const { return table_->winner.load(std::memory_order_acquire) != nullptr; }

 private:
  struct Offer {
    explicit Offer(Result<T> r) : result(std::move(r)) {}
    const Result<T> result;
    Offer* next = nullptr;
  };

  struct Table {
    std::atomic<const Offer*> winner{nullptr};
    std::atomic<Offer*> all{nullptr};  // every offer that was made; freed together
    std::mutex mutex;                  // only for those who sleep
    std::condition_variable_any decided;

    Table() = default;
    Table(const Table&) = delete;
    Table& operator=(const Table&) = delete;
    ~Table() {
      for (Offer* offer = all.load(); offer != nullptr;) delete std::exchange(offer, offer->next);
    }
  };

  bool offer(std::unique_ptr<Offer> mine) {
    const auto table = table_;  // an awaiter may destroy the promise before we have returned
    const Offer* nobody = nullptr;
    // On the list first: from the moment it wins, others read it.
    Offer* offer = mine.release();
    offer->next = table->all.load();
    while (!table->all.compare_exchange_weak(offer->next, offer)) {
    }
    if (!table->winner.compare_exchange_strong(nobody, offer, std::memory_order_acq_rel)) {
      return false;
    }
    {
      const std::lock_guard lock(table->mutex);
    }  // nobody is between looking and sleeping
    table->decided.notify_all();
    return true;
  }

  std::shared_ptr<Table> table_ = std::make_shared<Table>();
};

}  // namespace futures
