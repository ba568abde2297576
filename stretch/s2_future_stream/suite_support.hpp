// What the parts of this suite share.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "future_stream.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"

namespace future_stream_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them
using namespace std::chrono_literals;
using workbook::ended;
using workbook::forever;
using workbook::MoveOnly;
using workbook::show;
using workbook::Tracked;

inline Error failure(Errc code) { return Error{code, "from the test"}; }

// "not found: from the test", for expectations.
inline std::string text(const Error& error) { return error.code.message() + ": " + error.message; }

// Whether nothing that was on its way is left, now or within the time that must do.
template <class T>
bool all_gone() {
  return workbook::eventually([] { return T::live() == 0; });
}

// What range() delivers and how it ends, as a text: "1 2 success".
template <class T>
std::string all_of(const FutureStream<T>& stream, const Context& context = forever) {
  std::string seen;
  const auto result = stream.range(context, [&](T value) -> Result<void> {
    if constexpr (requires { value.value; }) {
      seen += std::to_string(value.value) + " ";
    } else {
      seen += std::to_string(value) + " ";
    }
    return {};
  });
  return seen + show(result);
}

// Sends 1, 2, 3 … until that fails; the error.
template <class T>
Error send_until_it_fails(const FutureStream<T>& stream) {
  for (int i = 1;; ++i) {
    if (auto sent = stream.send(forever, T(i)); !sent) return sent.error();
  }
}

// Sends while the stream takes values without waiting, up to `most`; how many it took. Right
// versions reach their bound and stay there; wrong ones get the time they need to pass it.
template <class T>
std::size_t flood(const FutureStream<T>& stream, std::size_t least, std::size_t most) {
  std::size_t taken = 0;
  const auto send = [&] {
    while (taken < most && stream.send(ended(), T(static_cast<int>(taken)))) ++taken;
  };
  (void)workbook::eventually([&] {
    send();
    return taken >= least;
  });
  for (int turn = 0; turn < 20; ++turn) {
    send();
    std::this_thread::sleep_for(1ms);
  }
  return taken;
}

template <class T>
Result<T> same(T value) {
  return value;
}

template <class T>
Result<bool> all(const T&) {
  return true;
}

// Five stages of all kinds, with `context` for each. `at(stage)` is called whenever the function of
// a stage (0 to 3) is.
template <class T>
FutureStream<T> five_stages(
    const Context& context, FutureStream<T> start, std::function<void(int)> at = [](int) {}) {
  const auto pass = [at](int stage) {
    return [at, stage](T value) -> Result<T> {
      at(stage);
      return value;
    };
  };
  const auto keep = [at](int stage) {
    return [at, stage](const T&) -> Result<bool> {
      at(stage);
      return true;
    };
  };
  auto one = map<T>(context, std::move(start), pass(0));
  auto two = filter(context, std::move(one), keep(1));
  auto three = map<T>(context, std::move(two), pass(2));
  auto four = filter(context, std::move(three), keep(3));
  return take(context, std::move(four), 1000);
}

}  // namespace future_stream_suite
