// Names that bench_report understands: "<what>|<who>", where <who> is "reference" or what it is
// compared with, and a label on the competitor with the ratio that is wanted at most.
#pragma once

#include <benchmark/benchmark.h>
#include <chrono>
#include <string>

namespace bench {

using namespace std::chrono_literals;

// Registers fn(benchmark::State&) as the reference's side of a comparison.
template <class Function>
auto* reference(const std::string& what, Function fn) {
  return benchmark::RegisterBenchmark((what + "|reference").c_str(), fn)->UseRealTime();
}

// Registers what the reference is compared with; at_most 0: for information only.
template <class Function>
auto* against(const std::string& what, const std::string& who, double at_most, Function fn) {
  auto run = [fn, at_most](benchmark::State& state) {
    fn(state);
    if (at_most > 0) state.SetLabel("at most " + std::to_string(at_most));
  };
  return benchmark::RegisterBenchmark((what + "|" + who).c_str(), run)->UseRealTime();
}

}  // namespace bench
