#!/usr/bin/env bash
# Runs the suite of one task on the submission it was built with, once for each seed, while its
# threads lose time in the worst moments (see disturbance.cpp). What fails is shown.
#
#   disturb.sh TREE TASK SEED...     TREE: a CMake tree of the workbook; TASK: 04_promise
set -uo pipefail
tree=$1 task=$2
shift 2

status=0
for seed in "$@"; do
  start=$SECONDS
  if output=$(DISTURB_SEED=$seed WORKBOOK_SEED=$seed WORKBOOK_TEST_SECONDS=120 \
    LD_PRELOAD=$tree/grader/tests/libdisturbance.so \
    timeout 600 "$tree/tasks/${task}_suite" 2>&1); then
    printf '%s passes, disturbed with seed %d (%d s)\n' "$task" "$seed" $((SECONDS - start))
  else
    status=1
    printf '%s FAILS, disturbed with seed %d\n' "$task" "$seed"
    grep -v '^\[ *\(RUN\|OK\) ' <<<"$output" | tail -n 60
  fi
done
exit $status
