// Right code around memory and atomics, however odd: the explorer must accept it.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <iostream>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "explored_body.hpp"

namespace explorer {
namespace {

using namespace std::chrono_literals;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;

TEST(RightMemory, SharedPointersDieInAnyThread) {
  EXPECT_TRUE(passes([] {
    struct Value {
      std::string text = "a value that is too long for the small buffer";
      ~Value() { text.clear(); }
    };
    auto first = std::make_shared<Value>();
    std::weak_ptr<Value> weak = first;
    std::jthread a([copy = first] { CHECK(copy->text.size() > 10); });
    std::jthread b([weak] {
      if (auto strong = weak.lock()) CHECK(strong->text.size() > 10);
    });
    first.reset();
  }));
}

TEST(RightMemory, AtomicSharedPointers) {
  EXPECT_TRUE(passes([] {
    std::atomic<std::shared_ptr<int>> current(std::make_shared<int>(1));
    std::thread writer([&] { current.store(std::make_shared<int>(2)); });
    std::thread reader([&] {
      auto seen = current.load();
      CHECK(!seen || *seen == 1 || *seen == 2);
    });
    auto last = current.exchange(nullptr);
    writer.join();
    reader.join();
  }));
}

TEST(RightMemory, AReferenceCountWithAnAcquireFence) {
  EXPECT_TRUE(passes([] {
    struct Node {
      std::atomic<int> references{2};
      int data = 0;
    };
    auto* node = new Node;
    auto leave = [node](int add) {
      if (add) node->data += add;
      if (node->references.fetch_sub(1, memory_order_release) == 1) {
        std::atomic_thread_fence(memory_order_acquire);
        CHECK(node->data == 1);
        delete node;
      }
    };
    std::jthread other([=] { leave(1); });
    leave(0);
  }));
}

struct Trouble : std::runtime_error {
  explicit Trouble(int c) : runtime_error("boom"), code(c) {}
  int code;
  std::string extra = std::string(50, 'x');
};

TEST(RightMemory, AnExceptionSharedByThreads) {
  EXPECT_TRUE(passes([] {
    std::exception_ptr trouble;
    std::mutex mutex;
    std::condition_variable changed;
    auto read = [&] {
      std::exception_ptr mine;
      {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return trouble != nullptr; });
        mine = trouble;
      }
      try {
        std::rethrow_exception(mine);
      } catch (const Trouble& error) {
        CHECK(error.code == 3 && error.extra.size() == 50 && !std::strcmp(error.what(), "boom"));
      }
    };
    std::jthread a(read), b(read);
    try {
      throw Trouble(3);
    } catch (...) {
      std::lock_guard lock(mutex);
      trouble = std::current_exception();
      changed.notify_all();
    }
  }));
}

TEST(RightMemory, TheLastOwnerOfAnExceptionIsAnyThread) {
  EXPECT_TRUE(passes([] {
    std::exception_ptr trouble;
    try {
      throw Trouble(3);
    } catch (...) {
      trouble = std::current_exception();
    }
    auto read = [](std::exception_ptr mine) {
      try {
        std::rethrow_exception(std::move(mine));
      } catch (const Trouble& error) {
        Trouble copy = error;  // shares the text with the original
        CHECK(copy.code == 3 && std::string(copy.what()) == "boom");
      }
    };
    std::jthread a(read, trouble), b(read, trouble);
    trouble = nullptr;
  }));
}

TEST(RightMemory, StreamsAndPrintf) {
  EXPECT_TRUE(passes([] {
    auto talk = [] {
      std::ostringstream out;
      out << "hello " << 1.5 << '\n';
      std::cout << out.str() << 42 << std::endl;
      std::printf("%s", out.str().c_str());
    };
    std::jthread a(talk), b(talk);
  }));
}

TEST(RightMemory, NeighbouringBytesAreNotShared) {
  EXPECT_TRUE(passes([] {
    char bytes[8] = {};
    struct [[gnu::packed]] Packed {
      char a;
      int b;
    } packed{};
    std::thread a([&] {
      bytes[0] = 1;
      packed.a = 1;
    });
    std::thread b([&] {
      bytes[1] = 1;
      packed.b = 1;
    });
    a.join();
    b.join();
    CHECK(bytes[0] + bytes[1] == 2 && packed.a + packed.b == 2);
  }));
}

TEST(RightMemory, AnAtomicMadeAnewAtTheSamePlace) {
  EXPECT_TRUE(passes([] {
    alignas(std::atomic<int>) unsigned char room[sizeof(std::atomic<int>)];
    for (int i = 0; i < 3; ++i) {
      auto* atomic = new (room) std::atomic<int>(0);
      std::thread([&] {
        atomic->store(1, memory_order_relaxed);
        atomic->store(0, memory_order_relaxed);
      }).join();
      CHECK(atomic->load(memory_order_relaxed) == 0);
    }
    for (int i = 0; i < 3; ++i) {
      std::atomic<int> local{i};
      std::jthread other([&] { local.fetch_add(10, memory_order_relaxed); });
      int seen = local.load(memory_order_relaxed);
      CHECK(seen == i || seen == i + 10);
    }
  }));
}

TEST(RightMemory, AMutexMadeAnewAtTheSamePlace) {
  EXPECT_TRUE(passes([] {
    for (int i = 0; i < 3; ++i) {
      std::mutex mutex;
      std::condition_variable changed;
      bool ready = false;
      std::jthread other([&] {
        std::lock_guard lock(mutex);
        ready = true;
        changed.notify_one();
      });
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return ready; });
    }
  }));
}

TEST(RightMemory, CopiesAndGrowthUnderALock) {
  EXPECT_TRUE(passes([] {
    std::mutex mutex;
    std::vector<std::string> lines;
    auto add = [&](char letter) {
      for (int i = 0; i < 2; ++i) {
        std::lock_guard lock(mutex);
        lines.push_back(std::string(40, letter));
        lines.front() += letter;
      }
    };
    std::thread a(add, 'a'), b(add, 'b');
    a.join();
    b.join();
    CHECK(lines.size() == 4);
  }));
}

}  // namespace
}  // namespace explorer
