#!/usr/bin/env bash
# Measurements for people to read; nothing is judged by them.
#
#   run_bench.sh                      the references against what they replace: ratios taken in one
#                                     run, and a chart a task
#   run_bench.sh explorer [SECONDS]   the explorer beside a stress loop and ThreadSanitizer, each bug
#                                     of its catalogue for at most so long (10)
set -euo pipefail
cd "$(dirname "$0")/../.."
. grader/clang.sh

what=${1:-references}
build=${BUILD:-build}/bench_$what
options=()

build_or_say() { # build_or_say SOURCE TARGET
  mkdir -p "$build"
  if ! { cmake -S "$1" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release "${options[@]}" &&
    ninja -C "$build" "$2"; } >"$build/build.log" 2>&1; then
    tail -n 40 "$build/build.log" >&2
    printf 'The benchmarks could not be built.\n' >&2
    exit 3
  fi
}

case $what in
  references)
    build_or_say solutions/bench all
    exec ninja -C "$build" bench
    ;;
  explorer)
    # As the grader builds it. The references are built by the system's compiler: Debian's Boost, one
    # of those they are compared with, is too old for a new Clang.
    clang=$(newest_clang)
    if [[ -n $clang ]]; then options=(-DCMAKE_CXX_COMPILER="clang++-$clang"); fi
    build_or_say grader/explorer explorer_bench
    exec "$build/tests/explorer_bench" "${2:-10}"
    ;;
  *)
    printf 'What is %s? See the first lines of %s.\n' "$what" "$0" >&2
    exit 2
    ;;
esac
