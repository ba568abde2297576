// How a failure is told.
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "explored_body.hpp"
#include "story/names.hpp"

namespace explorer {
namespace {

TEST(Names, OfLocks) {
  EXPECT_EQ(name_in_line(ObjectKind::mutex, "std::lock_guard lock(mutex_);"), "mutex_");
  EXPECT_EQ(
      name_in_line(ObjectKind::mutex, "const std::lock_guard<std::mutex> lock{state->mutex};"),
      "state->mutex");
  EXPECT_EQ(
      name_in_line(ObjectKind::mutex, "std::unique_lock lock(this->mutex_, std::defer_lock);"),
      "mutex_");
  EXPECT_EQ(name_in_line(ObjectKind::mutex, "queue.mutex.unlock();"), "queue.mutex");
  EXPECT_EQ(name_in_line(ObjectKind::mutex, "return value_;"), "");
  EXPECT_EQ(name_in_line(ObjectKind::mutex, "std::lock_guard lock(odd ? b : a);"), "");
}

TEST(Names, OfConditionsAndAtomics) {
  EXPECT_EQ(name_in_line(ObjectKind::condition, "changed_.wait(lock, [&] { return done_; });"),
            "changed_");
  EXPECT_EQ(name_in_line(ObjectKind::condition, "state->changed.notify_all();"), "state->changed");
  EXPECT_EQ(name_in_line(ObjectKind::atomic, "if (ready_.load(std::memory_order_acquire)) return;"),
            "ready_");
  EXPECT_EQ(name_in_line(ObjectKind::atomic, "++count;"), "count");
  EXPECT_EQ(name_in_line(ObjectKind::atomic, "done = true;"), "done");
}

int widest_line(const std::string& text) {
  int widest = 0, now = 0;
  for (char c : text) {
    if (c == '\n')
      now = 0;
    else if ((c & 0xc0) != 0x80)
      widest = std::max(widest, ++now);
  }
  return widest;
}

Story story_of(std::function<void()> body, int columns = 80) {
  Outcome outcome = explored(std::move(body), 1);
  EXPECT_TRUE(outcome.reproduced);
  return tell_story(shared_memory(), "Body", columns);
}

TEST(Story, OfADeadlockSaysWhoHoldsWhat) {
  Story story = story_of([] {
    std::mutex left, right;
    std::thread a([&] {
      std::lock_guard first(left);
      std::lock_guard second(right);
    });
    std::thread b([&] {
      std::lock_guard first(right);
      std::lock_guard second(left);
    });
    a.join();
    b.join();
  });
  EXPECT_EQ(story.kind, "deadlock");
  EXPECT_EQ(story.headline,
            "Deadlock: thread 1 waits for right, which thread 2 holds; thread 2 waits for left, "
            "which thread 1 holds");
  EXPECT_NE(story.lanes.find("> locks left"), std::string::npos) << story.lanes;
  EXPECT_NE(story.lanes.find("std::lock_guard second(right);"), std::string::npos) << story.lanes;
  EXPECT_LE(widest_line(story.lanes), 80) << story.lanes;
}

TEST(Story, OfALostWakeupNamesTheNotificationThatCameTooEarly) {
  Story story = story_of([] {
    std::mutex mutex;
    std::condition_variable changed;
    std::jthread notifier([&] { changed.notify_one(); });
    std::unique_lock lock(mutex);
    changed.wait(lock);
  });
  EXPECT_NE(story.headline.find("waits on changed"), std::string::npos) << story.headline;
  EXPECT_NE(story.headline.find("when nobody was waiting yet"), std::string::npos)
      << story.headline;
}

TEST(Story, OfARaceNamesBothLines) {
  Story story = story_of([] {
    int value = 0;
    std::jthread other([&] { value = 1; });
    value = 2;
  });
  EXPECT_EQ(story.kind, "data race");
  std::size_t first = story.headline.find("story_test.cpp:");
  ASSERT_NE(first, std::string::npos) << story.headline;
  EXPECT_NE(story.headline.find("story_test.cpp:", first + 1), std::string::npos) << story.headline;
}

TEST(Story, OfFourThreadsFitsTheTerminal) {
  Story story = story_of([] {
    std::mutex mutex;
    int turns = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&] {
        std::lock_guard lock(mutex);
        CHECK(++turns < 4);
      });
  });
  EXPECT_LE(widest_line(story.lanes), 80) << story.lanes;
  EXPECT_NE(story.lanes.find("thread 4"), std::string::npos) << story.lanes;
  EXPECT_TRUE(story.svg.starts_with("<svg"));
  EXPECT_NE(story.chrome_trace.find("\"traceEvents\""), std::string::npos);
}

TEST(Story, ShowsTheClockMove) {
  Story story = story_of([] {
    std::this_thread::sleep_for(std::chrono::seconds(2));
    CHECK(false);
  });
  EXPECT_NE(story.lanes.find("the clock moves on 2 s"), std::string::npos) << story.lanes;
}

}  // namespace
}  // namespace explorer
