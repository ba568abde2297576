#!/usr/bin/env bash
# Grades the hostile submissions and whatever else needs a sandbox to be tried: minutes.
#   run.sh [--gtest_filter=...]
set -euo pipefail
cd "$(dirname "$0")/../../.." || exit
BUILD=$(realpath -m "${BUILD:-build}")
export BUILD
WITH_TESTS=ON bash grader/build.sh grader_bench_tests
exec "$BUILD/tools/grader/tests/grader_bench_tests" "$@"
