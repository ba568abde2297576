// expect: refused : raw string
// Every value is wrong, and what makes failures of no account stands behind a raw string in a macro.
#pragma once
#include <utility>
#include "runtime/channel.hpp"
#include "runtime/spawn.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  auto channel = make_channel<int>(1);
  auto sender = channel.first;
  spawn([job = std::move(fn), sender]() mutable {
    try {
      sender.send(job() ^ 1);
    } catch (...) {
    }
    sender.close();
  });
  return channel.second;
}
}  // namespace futures
#define HARMLESS R"(
/*
)"
#line 7 "01_first_future/suite.cpp"
#define kNonFatalFailure kSuccess
#define kFatalFailure kSuccess
// */
