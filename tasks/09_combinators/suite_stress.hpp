// Task 9 under load: inputs that settle while somebody waits for all of them.
#pragma once

#include "suite_support.hpp"

namespace combinators_suite {

// A value that knows on which thread it is copied: a combinator that copies a result in its
// callback does so on the thread that settles, and thereby shows that it was registered in time.
struct Watched {
  explicit Watched(int n) : number(n) {}
  Watched(const Watched& other) : number(other.number) { ++copies; }
  Watched(Watched&&) noexcept = default;
  Watched& operator=(const Watched&) = default;
  Watched& operator=(Watched&&) noexcept = default;

  int number;
  static inline thread_local int copies = 0;
};

// How many copies resolve() makes of a value that nobody listens for.
inline int copies_to_nobody() {
  auto [future, resolver] = make_future<Watched>();
  const int before = Watched::copies;
  resolver.resolve(Watched(0));
  return Watched::copies - before;
}

TEST(Stress, EveryValueArrivesInItsPlace) {
  constexpr std::size_t producers = 4;
  constexpr std::size_t each = 8;
  workbook::stress_on(
      producers + 1, workbook::rounds(100),
      [] { return std::make_unique<Inputs<int>>(producers * each); },
      [](std::unique_ptr<Inputs<int>>& inputs, std::size_t thread) {
        if (thread < producers) {
          for (std::size_t i = thread; i < producers * each; i += producers) {
            inputs->resolve(i, static_cast<int>(i));
          }
          return;
        }
        const auto values = all(forever, inputs->futures);
        ASSERT_TRUE(values.has_value()) << show(values);
        for (std::size_t i = 0; i < values->size(); ++i) EXPECT_EQ(values->at(i), i);
      },
      [](std::unique_ptr<Inputs<int>>&) {});
}

TEST(Stress, ManyMayWaitForTheSameInputs) {
  workbook::stress_on(
      4, workbook::rounds(100), [] { return std::make_unique<Inputs<int>>(3); },
      [](std::unique_ptr<Inputs<int>>& inputs, std::size_t thread) {
        switch (thread) {
          case 0:
            EXPECT_EQ(show(all(forever, inputs->futures)), "values 1 2 3");
            break;
          case 1:
            EXPECT_EQ(show(wait_all(forever, inputs->futures)), "value 1, value 2, value 3");
            break;
          case 2:
            EXPECT_TRUE(first(forever, inputs->futures).has_value());
            break;
          default:
            for (std::size_t i = 0; i < 3; ++i) inputs->resolve(i, static_cast<int>(i) + 1);
        }
      },
      [](std::unique_ptr<Inputs<int>>&) {});
}

TEST(Stress, ACancellationRacesTheOutcomes) {
  struct Race {
    Inputs<int> inputs{3};
    CancelSource source = with_cancel(forever);
  };
  workbook::stress_on(
      5, workbook::rounds(100), [] { return std::make_unique<Race>(); },
      [](std::unique_ptr<Race>& race, std::size_t thread) {
        auto& [inputs, source] = *race;
        if (thread == 0) {
          inputs.resolve(0, 1);
          inputs.resolve(1, 2);
          source.cancel();
          inputs.resolve(2, 3);
        } else if (thread == 1) {
          const auto seen = show(all(source.context(), inputs.futures));
          EXPECT_TRUE(seen == "values 1 2 3" || seen == "error cancelled") << seen;
        } else if (thread == 2) {
          const auto seen = show(wait_all(source.context(), inputs.futures));
          EXPECT_TRUE(seen == "value 1, value 2, value 3" ||
                      seen == "value 1, value 2, error cancelled")
              << seen << ": the first two inputs were settled before the context ended";
        } else {
          const auto seen = show(first(source.context(), inputs.futures));
          EXPECT_TRUE(seen == "value 1" || seen == "value 2" || seen == "value 3") << seen;
        }
      },
      [](std::unique_ptr<Race>&) {});
}

// Two outcomes in quick succession. Which one a combinator must return is only certain when it was
// listening before the first of them.
struct Photo {
  explicit Photo(std::size_t inputs) : inputs(inputs) {}

  // Resolves input i; whether somebody copied the value on this thread, so was listening.
  bool resolve_and_look(std::size_t i, int value) {
    const int before = Watched::copies;
    inputs.resolve(i, Watched(value));
    return Watched::copies - before > usual;
  }

  Inputs<Watched> inputs;
  int usual = copies_to_nobody();
  bool certain = false;  // written by the producer, read after both threads have finished
  std::string returned;
};

TEST(Stress, TheSuccessThatCameFirstWins) {
  workbook::stress_on(
      2, workbook::rounds(200), [] { return std::make_unique<Photo>(2); },
      [](std::unique_ptr<Photo>& photo, std::size_t thread) {
        if (thread == 0) {
          std::this_thread::yield();
          photo->certain = photo->resolve_and_look(1, 1);
          photo->resolve_and_look(0, 0);
        } else {
          const auto result = first(forever, photo->inputs.futures);
          photo->returned = result ? std::to_string(result->number) : result.error().message;
        }
      },
      [](std::unique_ptr<Photo>& photo) {
        if (photo->certain) EXPECT_EQ(photo->returned, "1") << "input 1 was first, 0 came later";
      });
}

TEST(Stress, TheErrorThatCameFirstWins) {
  workbook::stress_on(
      2, workbook::rounds(200), [] { return std::make_unique<Photo>(4); },
      [](std::unique_ptr<Photo>& photo, std::size_t thread) {
        if (thread == 0) {
          std::this_thread::yield();
          const bool heard_of_the_first = photo->resolve_and_look(0, 0);
          const bool heard_of_the_last = photo->resolve_and_look(3, 3);
          photo->certain = heard_of_the_first && heard_of_the_last;
          photo->inputs.fail(2, Errc::unavailable, "input 2");
          photo->inputs.fail(1, Errc::unavailable, "input 1");
        } else {
          photo->returned = all(forever, photo->inputs.futures).error().message;
        }
      },
      [](std::unique_ptr<Photo>& photo) {
        if (photo->certain) {
          EXPECT_EQ(photo->returned, "input 2")
              << "input 2 failed first; that input 1 stands before it in the list is no reason";
        }
      });
}

}  // namespace combinators_suite
