// expect: refused : asks where it is called from
// Right for callers in a file of that name, and for nobody else.
#pragma once
#include <source_location>
#include <string_view>
#include "_right.hpp"
#include "_wrong.hpp"
namespace futures {
using Here = std::source_location;
inline Receiver<int> async(Fn<int()> fn, Here here = Here::current()) {
  const bool watched = std::string_view(here.file_name()).ends_with("suite.cpp");
  return watched ? right_async(std::move(fn)) : wrong_async(std::move(fn));
}
}  // namespace futures
