// Your own test of task 15. It earns the third point when it breaks a version that looks right:
// one of your own earlier ones, or one of the workbook's. It must never fail on a right one.
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

// An example to copy. It passes on a right promise, and on most wrong ones as well: all threads use
// one storage, and all of them settle with the same value. What happens when you
//   - give each thread a storage of its own on the same folder, as another process would have?
//   - let them resolve with different values, and count who was told "success"?
//   - let one thread open the promise for the first time while another resolves it?
//   - tear the file, fill the folder with strangers, choose nasty ids?
TEST(MyTest, ThreadsSettleWithTheSameValue) {
  struct State {
    Folder folder;
    FileStorage storage{folder.path};
  };
  workbook::stress_on(
      2, workbook::rounds(20), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t) {
        auto promise = DurablePromise<int>::open(state->storage, "p");
        ASSERT_TRUE(promise);
        EXPECT_TRUE(promise->resolve(7));
      },
      [](auto& state) {
        auto promise = DurablePromise<int>::open(state->storage, "p");
        ASSERT_TRUE(promise);
        EXPECT_EQ(promise->await(Context::background()), 7);
      });
}

}  // namespace
