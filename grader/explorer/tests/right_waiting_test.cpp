// Right code around waiting and locking, however odd: the explorer must accept it.
#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <future>
#include <latch>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <shared_mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "explored_body.hpp"

namespace explorer {
namespace {

using namespace std::chrono_literals;

TEST(RightWaiting, CallOnceWithAnExceptionFirst) {
  EXPECT_TRUE(passes([] {
    std::once_flag flag;
    int value = 0;
    std::atomic<int> tries{0};
    auto work = [&] {
      for (bool done = false; !done;) try {
          std::call_once(flag, [&] {
            if (tries++ == 0) throw 1;
            value = 5;
          });
          done = true;
        } catch (int) {
        }
      CHECK(value == 5);
    };
    std::jthread a(work), b(work);
    work();
  }));
}

TEST(RightWaiting, FunctionLocalStatics) {
  EXPECT_TRUE(passes([] {
    struct Big {
      int value = std::rand() | 1;
    };
    auto use = [] {
      static Big big;
      CHECK(big.value);
    };
    std::jthread a(use), b(use);
  }));
}

TEST(RightWaiting, SemaphoreLatchBarrier) {
  EXPECT_TRUE(passes([] {
    std::counting_semaphore<4> one(1);
    std::latch started(2);
    int value = 0, phase = 0;
    auto count = [&]() noexcept { ++phase; };
    std::barrier barrier(2, count);
    auto work = [&] {
      one.acquire();
      ++value;
      one.release();
      started.arrive_and_wait();
      barrier.arrive_and_wait();
      CHECK(phase == 1);
      barrier.arrive_and_wait();
      CHECK(phase == 2);
    };
    std::thread a(work), b(work);
    a.join();
    b.join();
    CHECK(value == 2);
    CHECK(one.try_acquire_for(1ms));
    CHECK(!one.try_acquire_for(1ms));
  }));
}

TEST(RightWaiting, ALatchOnTheStackMayDieAsSoonAsItIsOpen) {
  EXPECT_TRUE(passes([] {
    auto finished = std::make_shared<std::atomic<int>>(0);
    {
      std::latch done(2);
      for (int i = 0; i < 2; ++i)
        std::thread([&done, finished] {
          done.count_down();
          ++*finished;
        }).detach();
      done.wait();
    }
    [[maybe_unused]] volatile char over_it[64] = {};
  }));
}

TEST(RightWaiting, ABinarySemaphoreMayDieOnceAcquired) {
  EXPECT_TRUE(passes([] {
    {
      std::binary_semaphore ready(0);
      std::thread([&] { ready.release(); }).detach();
      ready.acquire();
    }
    std::atomic<int> same_place{0};
    CHECK(same_place.load(std::memory_order_relaxed) == 0);
  }));
}

TEST(RightWaiting, Futures) {
  EXPECT_TRUE(passes([] {
    std::promise<std::string> promise;
    auto shared = promise.get_future().share();
    std::jthread setter([&] { promise.set_value(std::string(100, 'a')); });
    auto size = std::async(std::launch::async, [shared] { return shared.get().size(); });
    auto lazy = std::async(std::launch::deferred, [] { return 3; });
    std::packaged_task<int(int)> task([](int x) { return x + 1; });
    auto result = task.get_future();
    std::jthread runner(std::move(task), 4);
    CHECK(result.wait_for(1h) == std::future_status::ready);
    CHECK(result.get() == 5);
    CHECK(size.get() == 100);
    CHECK(lazy.get() == 3);
  }));
}

TEST(RightWaiting, AnExceptionThroughAFuture) {
  EXPECT_TRUE(passes([] {
    auto broken = [] {
      std::promise<int> promise;
      return promise.get_future();
    }();
    try {
      broken.get();
      CHECK(false);
    } catch (const std::future_error&) {
    }
    auto thrown = std::async(std::launch::async, []() -> int { throw std::runtime_error("no"); });
    try {
      thrown.get();
      CHECK(false);
    } catch (const std::runtime_error& error) {
      CHECK(std::string(error.what()) == "no");
    }
  }));
}

TEST(RightWaiting, StopTokens) {
  EXPECT_TRUE(passes([] {
    std::mutex mutex;
    std::condition_variable_any changed;
    bool ready = false;
    int callbacks = 0;
    {
      std::jthread waiter([&](std::stop_token token) {
        std::stop_callback callback(token, [&] { ++callbacks; });
        std::unique_lock lock(mutex);
        CHECK(changed.wait(lock, token, [&] { return ready; }) == ready);
      });
      std::this_thread::sleep_for(1ms);
      waiter.request_stop();
    }
    CHECK(callbacks <= 1);
  }));
}

TEST(RightWaiting, StopCallbacksAreRunOrRemoved) {
  EXPECT_TRUE(passes([] {
    std::stop_source source;
    auto state = std::make_unique<int>(0);
    std::jthread stopper([&] { source.request_stop(); });
    {
      std::stop_callback callback(source.get_token(), [&] { *state = 1; });
    }
    state.reset();  // the destructor of the callback has waited for it
  }));
}

TEST(RightWaiting, EveryMutexThereIs) {
  EXPECT_TRUE(passes(
      [] {
        std::shared_mutex shared;
        std::timed_mutex timed;
        std::recursive_mutex recursive;
        std::shared_timed_mutex both;
        int value = 0;
        auto work = [&] {
          {
            std::unique_lock lock(shared);
            ++value;
          }
          {
            std::shared_lock lock(shared);
            CHECK(value >= 1);
          }
          {
            std::lock_guard outer(recursive);
            std::lock_guard inner(recursive);
          }
          if (both.try_lock_shared_for(1s)) both.unlock_shared();
          if (timed.try_lock_for(2ms)) {
            std::this_thread::sleep_for(5ms);
            timed.unlock();
          }
        };
        std::thread a(work), b(work);
        a.join();
        b.join();
        CHECK(value == 2);
      },
      0.6));
}

TEST(RightWaiting, RecursiveMutexWithConditionVariableAny) {
  EXPECT_TRUE(passes([] {
    std::recursive_mutex mutex;
    std::condition_variable_any changed;
    bool ready = false;
    std::jthread setter([&] {
      std::lock_guard outer(mutex);
      std::lock_guard inner(mutex);
      ready = true;
      changed.notify_all();
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return ready; });
  }));
}

TEST(RightWaiting, LockingManyInAnyOrderWithStdLock) {
  EXPECT_TRUE(passes([] {
    std::mutex a, b;
    int value = 0;
    std::jthread other([&] {
      std::scoped_lock lock(b, a);
      ++value;
    });
    std::scoped_lock lock(a, b);
    ++value;
  }));
}

TEST(RightWaiting, TryLockAndBackOff) {
  EXPECT_TRUE(passes([] {
    std::mutex mutex;
    int value = 0;
    auto work = [&] {
      while (!mutex.try_lock()) std::this_thread::yield();
      ++value;
      mutex.unlock();
    };
    std::jthread other(work);
    work();
  }));
}

TEST(RightWaiting, AConditionVariableMayDieOnceAllAreNotified) {
  EXPECT_TRUE(passes([] {
    std::mutex mutex;
    auto changed = std::make_unique<std::condition_variable>();
    bool ready = false, waiting = false;
    std::jthread waiter([&] {
      std::unique_lock lock(mutex);
      waiting = true;
      changed->wait(lock, [&] { return ready; });
    });
    for (;;) {
      std::lock_guard lock(mutex);
      if (!waiting) continue;
      ready = true;
      changed->notify_all();
      break;
    }
    // The waiter may still be on its way out of wait(): that is allowed.
    waiter.join();
    changed.reset();
  }));
}

TEST(RightWaiting, TheLastOneOutDestroysTheMutex) {
  EXPECT_TRUE(passes([] {
    struct Shared {
      std::mutex mutex;
      int users = 2;
    };
    auto* shared = new Shared;
    auto leave = [shared] {
      shared->mutex.lock();
      bool last = --shared->users == 0;
      shared->mutex.unlock();
      if (last) delete shared;
    };
    std::jthread other(leave);
    leave();
  }));
}

TEST(RightWaiting, NotifyAllAtThreadExit) {
  EXPECT_TRUE(passes([] {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    std::jthread worker([&] {
      std::unique_lock lock(mutex);
      done = true;
      std::notify_all_at_thread_exit(changed, std::move(lock));
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done; });
  }));
}

TEST(RightWaiting, AtomicWaitOnEverySize) {
  EXPECT_TRUE(passes([] {
    std::atomic<bool> flag{false};
    std::atomic<long> wide{0};
    std::atomic<int> word{0};
    std::jthread other([&] {
      flag.store(true);
      flag.notify_all();
      ++wide;
      wide.notify_one();
      word = 1;
      word.notify_all();
    });
    flag.wait(false);
    wide.wait(0);
    word.wait(0);
    CHECK(flag && wide == 1 && word == 1);
  }));
}

TEST(RightWaiting, ManyWaitersOnOneAtomic) {
  EXPECT_TRUE(passes([] {
    std::atomic<long> value{0};
    auto wait = [&] {
      for (long seen; (seen = value.load()) < 2;) value.wait(seen);
    };
    auto raise = [&] {
      ++value;
      value.notify_all();
    };
    std::jthread a(wait), b(wait), c(raise), d(raise);
  }));
}

TEST(RightWaiting, DetachedThreadsThatEnd) {
  EXPECT_TRUE(passes([] {
    auto done = std::make_shared<std::atomic<int>>(0);
    for (int i = 0; i < 2; ++i)
      std::thread([done] {
        ++*done;
        done->notify_all();
        std::this_thread::sleep_for(10h);  // and ends after the test
      }).detach();
    for (int seen; (seen = done->load()) < 2;) done->wait(seen);
  }));
}

TEST(RightWaiting, DeadlinesInThePastAndZeroLimits) {
  EXPECT_TRUE(passes([] {
    std::mutex mutex;
    std::condition_variable changed;
    std::unique_lock lock(mutex);
    CHECK(changed.wait_until(lock, std::chrono::steady_clock::now() - 1h) ==
          std::cv_status::timeout);
    CHECK(changed.wait_until(lock, std::chrono::system_clock::now() - 1h) ==
          std::cv_status::timeout);
    CHECK(!changed.wait_for(lock, 0s, [] { return false; }));
    std::binary_semaphore none(0);
    CHECK(!none.try_acquire_for(0s));
    CHECK(!none.try_acquire_until(std::chrono::steady_clock::now() - 1s));
    std::this_thread::sleep_for(-1s);
    std::this_thread::sleep_until(std::chrono::steady_clock::now() - 1s);
  }));
}

TEST(RightWaiting, TheClockNeverRunsBackAndLimitsAreKept) {
  EXPECT_TRUE(passes([] {
    auto begin = std::chrono::steady_clock::now();
    std::jthread sleeper([&] {
      std::this_thread::sleep_for(50ms);
      CHECK(std::chrono::steady_clock::now() - begin >= 50ms);
    });
    std::mutex mutex;
    std::condition_variable changed;
    std::unique_lock lock(mutex);
    changed.wait_for(lock, 70ms, [] { return false; });
    CHECK(std::chrono::steady_clock::now() - begin >= 70ms);
  }));
}

TEST(RightWaiting, AnHourIsEnoughForAThreadThatOnlyWaitsForOthers) {
  EXPECT_TRUE(passes([] {
    std::promise<int> promise;
    auto future = promise.get_future();
    std::jthread setter([&] {
      std::this_thread::sleep_for(30s);
      promise.set_value(1);
    });
    CHECK(future.wait_for(1h) == std::future_status::ready);
  }));
}

// Somebody who polls, as acquire() does for a while, has to look again before it counts as waiting.
TEST(RightWaiting, TheClockLeavesPollersTheTimeToSeeWhatHasChanged) {
  EXPECT_TRUE(passes(
      [] {
        std::counting_semaphore<4> may_go(0);
        std::mutex mutex;
        std::condition_variable told;
        std::atomic<int> work{0};
        bool is_told = false;
        std::jthread sleeper([&] {
          std::unique_lock lock(mutex);
          CHECK(told.wait_for(lock, 30s, [&] { return is_told; }));
        });
        std::jthread poller([&] {
          may_go.acquire();
          const std::lock_guard lock(mutex);
          is_told = true;
          told.notify_one();
        });
        for (int i = 0; i < 20; ++i) ++work;  // the poller polls meanwhile
        may_go.release();
        poller.join();
      },
      3));
}

TEST(RightWaiting, ThreadLocalsDieWithTheirThread) {
  EXPECT_TRUE(passes([] {
    struct Register {
      std::mutex mutex;
      int live = 0;
    };
    static Register all;
    struct Member {
      Member() {
        std::lock_guard lock(all.mutex);
        ++all.live;
      }
      ~Member() {
        std::lock_guard lock(all.mutex);
        --all.live;
      }
      int value = 1;
    };
    auto work = [] {
      thread_local Member member;
      CHECK(member.value == 1);
    };
    std::thread a(work), b(work);
    a.join();
    b.join();
    std::lock_guard lock(all.mutex);
    CHECK(all.live == 0);
  }));
}

TEST(RightWaiting, ManyThreadsOneAfterTheOther) {
  EXPECT_TRUE(passes([] {
    int value = 0;
    for (int i = 0; i < 25; ++i) std::thread([&] { ++value; }).join();
    CHECK(value == 25);
  }));
}

}  // namespace
}  // namespace explorer
