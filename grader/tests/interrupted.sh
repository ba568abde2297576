#!/usr/bin/env bash
# What happens to a learner's work when a grading is killed, the disk is full, nothing can be
# written, or two gradings run at once: ledger and kept versions stay whole, no process is left,
# the next grade is right.
#
#   interrupted.sh [ROUNDS]   how often the grader is killed; default 30
#   BUILD                     has the grader; its caches are used
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

rounds=${1:-30}
build=$(realpath -m "${BUILD:-build}")
grader=$build/tools/grader/grader
scratch=$(mktemp -d)
root=$scratch/workbook
submission=$scratch/submission
ledger=$submission/.workbook/ledger.jsonl
header=$submission/01_first_future/first_future.hpp
json=$scratch/results.json
failures=0
mounted=()
# One of these is among the arguments of everything that a grader of ours starts. No other grader
# may use the same build folder meanwhile.
marks="$root|$build/programs/"

end() {
  for place in "${mounted[@]}"; do umount "$place"; done
  rm -rf "$scratch"
}
trap end EXIT

say() { printf '  %s\n' "$*"; }
fail() {
  failures=$((failures + 1))
  printf '  FAILED: %s\n' "$*"
}

mkdir -p "$root"/{tasks,solutions,grader} "$submission"
cp -r tasks/{runtime,testing,01_first_future} "$root/tasks"
cp -r solutions/01_first_future "$root/solutions"
cp -r grader/{harness,explorer} "$root/grader"
cp -r tasks/01_first_future "$submission"

# A right version that nobody has graded before.
new_version() { # new_version NUMBER
  sed "s|^namespace futures {|&\ninline constexpr long revision = 1$1$RANDOM$RANDOM;|" \
    solutions/01_first_future/alternative/close_by_destructor.hpp >"$header"
}

# In place of the shell: in the background $! is then the grader itself, and not a shell around it.
become_grade() { # become_grade [OPTION...]
  exec "$grader" --root "$root" --build-dir "$build" grade --task 1 --submission "$submission" \
    --json "${results:-$json}" "$@"
}

grade() { (become_grade "$@"); }

field() { # field NAME: of the results' first level, or of the one task
  sed -n "s/^ *\"$1\": \(.*[^,]\),\{0,1\}$/\1/p" "$json" | head -n 1
}

# Every line is a whole object, and the grader finds nothing wrong with the chain.
check_ledger() { # check_ledger WHEN
  [[ -e $ledger ]] || return
  if grep -qv '^{.*}$' "$ledger"; then
    # A torn last line is allowed to be there until the next grader mends it.
    if grep -v '^{.*}$' "$ledger" | tail -n 1 | grep -qvFx "$(tail -n 1 "$ledger")"; then
      fail "$1: the ledger has a broken line in its middle"
    fi
  fi
  "$grader" --root "$root" --build-dir "$build" list --submission "$submission" >"$scratch/list" 2>&1
  if grep -q 'changed by hand' "$scratch/list"; then fail "$1: the chain of the ledger is broken"; fi
}

check_versions() { # check_versions WHEN
  local version
  while read -r version; do
    if ! grep -q '^}  // namespace futures' "$version"; then fail "$1: $version is not whole"; fi
  done < <(find "$submission/.workbook/versions" -name '*.hpp' 2>/dev/null)
}

# What a killed grader started dies with it, at once; a machine that stands still for a while may take
# longer to show it.
check_processes() { # check_processes WHEN
  local left try
  for try in {1..600}; do
    left=$(pgrep -f -- "$marks" | grep -vx "$$")
    [[ -z $left ]] && return
    sleep 0.1
  done
  fail "$1: processes are left after $try looks: $(ps -o pid=,args= -p "${left//$'\n'/,}" | cut -c 1-200)"
}

check_grade() { # check_grade WHEN [OPTION...]
  local when=$1 status
  shift
  grade "$@" >"$scratch/out" 2>&1
  status=$?
  if [[ $status -ne 0 || $(field standing) != '"passed"' || $(field total) -lt 2 ]]; then
    fail "$when: exit status $status, $(field standing), $(field total) points: $(tail -n 5 "$scratch/out")"
  fi
}

killed() {
  local start=$EPOCHREALTIME span i delay pid
  new_version 0
  check_grade "before anything was killed"
  span=$(((${EPOCHREALTIME/./} - ${start/./}) / 1000))
  say "an undisturbed grading takes $span ms; killing $rounds of them"
  for ((i = 1; i <= rounds; ++i)); do
    new_version "$i"
    # Most of what is written is written early on.
    delay=$((RANDOM * 32768 + RANDOM))
    delay=$((i % 3 == 0 ? delay % (span + 1) : delay % (span / 4 + 1)))
    become_grade >"$scratch/out" 2>&1 &
    pid=$!
    sleep "$((delay / 1000)).$(printf '%03d' $((delay % 1000)))"
    kill -KILL "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    check_processes "killed after $delay ms"
    check_versions "killed after $delay ms"
  done
  check_ledger "after $rounds kills"
  check_grade "after $rounds kills"
  check_ledger "after the grade that followed"
  say "$(grep -c . "$ledger") lines in the ledger, $(find "$submission/.workbook/versions" -name '*.hpp' | wc -l) versions kept"
}

two_at_once() {
  local first second
  new_version 2
  results=$scratch/first.json grade >"$scratch/out1" 2>&1 &
  first=$!
  results=$scratch/second.json grade >"$scratch/out2" 2>&1 &
  second=$!
  wait "$first" || fail "two at once: the first one ended with $?: $(tail -n 3 "$scratch/out1")"
  wait "$second" || fail "two at once: the second one ended with $?: $(tail -n 3 "$scratch/out2")"
  for json in "$scratch/first.json" "$scratch/second.json"; do
    [[ $(field standing) == '"passed"' ]] || fail "two at once: $(field standing)"
  done
  json=$scratch/results.json
  check_ledger "two at once"
  check_versions "two at once"
}

# A tiny disk where the ledger lies; without the right to mount, a limit for the size of files.
full_disk() {
  local before
  before=$(sha256sum <"$ledger")
  if mount -t tmpfs -o size=512k tiny "$scratch/disk" 2>/dev/null; then
    mounted+=("$scratch/disk")
    cp -r "$submission/." "$scratch/disk"
    submission=$scratch/disk ledger=$scratch/disk/.workbook/ledger.jsonl
    header=$scratch/disk/01_first_future/first_future.hpp
    new_version 3
    head -c 1M /dev/zero >"$scratch/disk/filler" 2>/dev/null
    check_grade "with a full disk"
    grep -q 'not kept' "$scratch/out" || fail "with a full disk: nobody was told that a version was not kept"
    [[ $(sha256sum <"$ledger") == "$before" ]] || check_ledger "with a full disk"
    rm "$scratch/disk/filler"
    check_grade "with room again"
    check_ledger "with room again"
    check_versions "with room again"
  else
    say "no right to mount here: only files are limited"
  fi
  # Too little for any object file: the machine's fault, not the learner's.
  new_version 4
  (ulimit -f 40 && grade >"$scratch/out" 2>&1)
  local status=$?
  if [[ $status -eq 0 && $(field standing) != '"inconclusive"' ]]; then
    fail "with a limit on files: $(field standing), which is no fault of the header"
  fi
  check_ledger "with a limit on files"
  check_grade "without the limit"
}

read_only() {
  if mount --bind "$submission" "$submission" 2>/dev/null; then
    mounted+=("$submission")
    new_version 5
    mount -o remount,ro,bind "$submission" "$submission"
  elif [[ $(id -u) -ne 0 ]]; then
    new_version 5
    chmod -R a-w "$submission"
  else
    say "no right to mount here: nothing is read-only for root"
    return
  fi
  check_grade "a read-only submission"
  grep -q 'not kept' "$scratch/out" || fail "a read-only submission: nobody was told"
  chmod -R u+w "$submission" 2>/dev/null
}

mkdir "$scratch/disk"
for check in killed two_at_once full_disk read_only; do
  printf '=== %s\n' "${check//_/ }"
  "$check"
  check_processes "$check"
done
printf '%d failures\n' "$failures"
[[ $failures -eq 0 ]]
