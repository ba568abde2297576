// The scenes of predictions.toml. Each runs once, undisturbed, on the explorer's virtual clock, and
// says what it saw; nothing here is required of anybody's code.
#include <chrono>
#include <filesystem>
#include <string>
#include <system_error>
#include <thread>
#include <unistd.h>

#include "durable_promise.hpp"
#include "testing/kit.hpp"
#include "testing/scene.hpp"

namespace {

using namespace std::chrono_literals;
using futures::DurablePromise;
using futures::Errc;
using futures::FileStorage;
using futures::State;
using futures::with_timeout;
using workbook::answer_for;
using workbook::ended;
using workbook::forever;
using workbook::observed;

// An empty folder for one scene.
class Folder {
 public:
  Folder() : path_("/tmp/predict-" + std::to_string(::getpid())) { remove(); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { remove(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  void remove() const {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path path_;
};

std::string spoken(State state) {
  return state == State::pending ? "pending" : state == State::resolved ? "resolved" : "rejected";
}

TEST(Explored, NobodySettles) {
  const Folder folder;
  FileStorage storage(folder.path());
  const auto promise = DurablePromise<int>::open(storage, "order").value();
  const workbook::SceneClock clock;
  const auto soon = with_timeout(forever, 1min);
  (void)promise.await(soon.context());
  observed("When does the await return?",
           answer_for(clock.elapsed(), {{1s, "at once"}, {1min, "at the deadline"}}));
  const auto record = storage.load("order");
  observed("What does the storage say after that?",
           record ? spoken(record->state) : record.error().code.message());
}

TEST(Explored, AnotherHandle) {
  const Folder folder;
  FileStorage storage(folder.path());
  const auto mine = DurablePromise<int>::open(storage, "order").value();
  const workbook::SceneClock clock;
  std::jthread other([&] {
    auto theirs = DurablePromise<int>::open(storage, "order").value();
    clock.sleep_until(10s);
    (void)theirs.resolve(7);
  });
  const auto late = with_timeout(forever, 1h);
  (void)mine.await(late.context());
  observed("When does the await return?", answer_for(clock.elapsed(), {{10s, "after ten seconds"}},
                                                     "later, at its deadline in an hour"));
}

TEST(Explored, GaveUpTooEarly) {
  const Folder folder;
  FileStorage storage(folder.path());
  auto promise = DurablePromise<int>::open(storage, "order").value();
  const auto soon = with_timeout(forever, 1s);
  (void)promise.await(soon.context());
  std::this_thread::sleep_for(1s);
  (void)promise.resolve(7);
  const auto result = promise.await(ended());
  observed("What does the second await get?", result ? "the value" : result.error().code.message());
}

TEST(Explored, TwoAnswers) {
  const Folder folder;
  {
    FileStorage storage(folder.path());
    (void)DurablePromise<int>::open(storage, "order").value().resolve(7);
  }
  FileStorage storage(folder.path());
  auto promise = DurablePromise<int>::open(storage, "order").value();
  for (const int answer : {7, 8}) {
    const auto result = promise.resolve(answer);
    observed("What does resolving it with " + std::to_string(answer) +
                 (answer == 7 ? " again" : "") + " return?",
             result ? "success" : result.error().code.message());
  }
  observed("What does it hold in the end?", std::to_string(promise.await(forever).value()));
}

}  // namespace
