#!/usr/bin/env bash
# The references, measured against what they replace: ratios taken in one run, and a chart a task.
set -euo pipefail
cd "$(dirname "$0")/../.."

build=${BUILD:-build}/bench
options=()
for version in 22 21 20 19; do
  if hash "clang++-$version" 2>/dev/null; then
    options=(-DCMAKE_CXX_COMPILER="clang++-$version") && break
  fi
done
mkdir -p "$build"
if ! { cmake -S solutions/bench -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release "${options[@]}" &&
  ninja -C "$build" all; } >"$build/build.log" 2>&1; then
  tail -n 40 "$build/build.log" >&2
  printf 'The benchmarks could not be built.\n' >&2
  exit 3
fi
exec ninja -C "$build" bench
