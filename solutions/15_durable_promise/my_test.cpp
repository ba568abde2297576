// Several storages on one folder, as several processes have: they must agree, and forget nothing.
#include <atomic>
#include <filesystem>
#include <memory>
#include <stdlib.h>
#include <string>

#include "durable_promise.hpp"
#include "runtime/context.hpp"
#include "testing/kit.hpp"

namespace {

namespace fs = std::filesystem;
using futures::Context;
using futures::DurablePromise;
using futures::FileStorage;

// A folder that is gone when the round is over.
struct Folder {
  Folder() {
    std::string name = (fs::temp_directory_path() / "mine-XXXXXX").string();
    if (mkdtemp(name.data()) != nullptr) path = name;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  fs::path path;
};

TEST(MyTest, StoragesOnOneFolderAgreeOnOneWinner) {
  struct State {
    Folder folder;
    std::atomic<int> winners{0};
  };
  workbook::stress_on(
      4, workbook::rounds(60), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t thread) {
        FileStorage storage(state->folder.path);
        auto promise = DurablePromise<std::size_t>::open(storage, "p");
        ASSERT_TRUE(promise) << promise.error().message;
        if (promise->resolve(thread)) ++state->winners;
      },
      [](auto& state) { EXPECT_EQ(state->winners, 1) << "who were told that their value stands"; });
}

TEST(MyTest, OpeningNeverErasesAResult) {
  workbook::stress_on(
      2, workbook::rounds(200), [] { return std::make_unique<Folder>(); },
      [](auto& folder, std::size_t thread) {
        FileStorage storage(folder->path);
        auto promise = DurablePromise<int>::open(storage, "p");
        ASSERT_TRUE(promise) << promise.error().message;
        if (thread == 0) EXPECT_TRUE(promise->resolve(1));
      },
      [](auto& folder) {
        FileStorage storage(folder->path);
        auto promise = DurablePromise<int>::open(storage, "p");
        ASSERT_TRUE(promise) << promise.error().message;
        EXPECT_EQ(promise->state(), futures::State::resolved) << "acknowledged, and gone";
      });
}

TEST(MyTest, NoTwoIdsShareAPlace) {
  workbook::stress(1, 1, [](std::size_t, std::size_t) {
    const Folder folder;
    FileStorage storage(folder.path / "in");
    const char* ids[] = {"a/b", "a_b", "a b", "../a", "A_B", "a%2Fb"};
    int number = 0;
    for (const char* id : ids) {
      auto promise = DurablePromise<int>::open(storage, id);
      if (!promise) continue;  // refused, which is safe as well
      EXPECT_TRUE(promise->resolve(number++)) << id;
    }
    EXPECT_FALSE(fs::exists(folder.path / "a.json"));
  });
}

}  // namespace
