#!/usr/bin/env bash
# Everything that has to hold before a change lands, the quickest news first:
#   format and lint; unit tests of runtime, kit, explorer and grader; every suite on every
#   reference; every earlier version rejected, every alternative accepted; hostile submissions.
# Goes on after a failed step, so that one run tells all, and ends with the count of steps.
#
#   run_all.sh [STEP...]     only these: format lint unit kit references disturbed versions hostile
#                            interrupted stretch
#
# For a machine that has not the time for all: RIGHT_RUNS=0 leaves right versions to `make audit`;
# VERSIONS_PARTS makes that many parts of the flawed versions, one for each day; OWN_TESTS is of how
# many tasks the own tests meet all right versions, DISTURBED_SUITES how many suites are disturbed
# (another day begins with others); DISTURBED_RUNS is how often each is (3), KILLS how often a grader
# is killed (30).
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
. grader/clang.sh

build=$(realpath -m "${BUILD:-build}")
grader=$build/tools/grader/grader
passed=0
summary=()
again=() # the failed ones
steps=$build/steps # what each step printed

# What is worth reading again of a failed step, as the whole may be cut off in the middle.
retell() { # retell NAME
  case $1 in
    # The parts of tasks without all their points, from the last grading.
    references)
      tac "$steps/$1.log" | sed '/^  Grading /q' | tac |
        awk '/^ +[0-9]+ · / { told = !/3 of 3/ } told'
      ;;
    *) grep -E -A 12 '(: Failure$|\*\*\*(Failed|Timeout)|error:|FAIL)' "$steps/$1.log" ;;
  esac | head -n 60
}

# Whether one of these steps was asked for, or all were.
wants() { # wants STEP...
  local name
  [[ ${#wanted[@]} -eq 0 ]] && return
  for name in "$@"; do [[ " ${wanted[*]} " == *" $name "* ]] && return; done
  return 1
}

step() { # step NAME COMMAND...: runs it, unless other steps were asked for
  local name=$1 start=$SECONDS
  shift
  wants "$name" || return 0
  printf '\n=== %s\n' "$name"
  mkdir -p "$steps"
  if "$@" 2>&1 | tee "$steps/$name.log"; then
    passed=$((passed + 1))
    summary+=("  ok     $name ($((SECONDS - start)) s)")
    return
  fi
  again+=("$name")
  summary+=("  FAILED $name ($((SECONDS - start)) s)")
}

format() {
  git ls-files -z -- '*.cpp' '*.hpp' ':!grader/tests/hostile' |
    xargs -0 clang-format-19 --dry-run --Werror &&
    git ls-files -z -- '*.sh' .ci/run | xargs -0 shellcheck
}

# configure_tree SOURCES TREE COMPILER [OPTION...]
configure_tree() {
  local sources=$1 tree=$2 compiler=$3
  shift 3
  local options=(-G Ninja -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON)
  hash ccache 2>/dev/null && options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  cmake -S "$sources" -B "$tree" "${options[@]}" "$@"
}

# What all but lint compiles: one CMake tree for everything, tasks/ included, and those of the tests
# that come in flavours.
configure() {
  local clang part
  clang=$(newest_clang)
  clang=clang++${clang:+-$clang}
  configure_tree . "$build/checked" "$clang" -DWORKBOOK_SUBMISSION=solutions -DBUILD_TESTING=ON &&
    for part in tasks/runtime/tests tasks/testing/tests grader/explorer; do
      configure_tree "$part" "$build/checked_${part//\//_}" "$clang" || return
    done
}

# What is in a test program: the analyzer needs a minute and a half for GoogleTest's macros in one.
is_test() { [[ $1 == */tests/* || $1 == */suite.cpp || $1 == */measure.cpp ]]; }

tidier='clang-tidy-22' # see setup.sh
hash $tidier 2>/dev/null || tidier='clang-tidy-19'

# tidy DATABASE [OPTION] SOURCE...: several at a time; only what they find is shown.
tidy() {
  local options=(--quiet -p "$1")
  shift
  if [[ ${1:-} == --* ]]; then options+=("$1") && shift; fi
  [[ $# -eq 0 ]] && return
  printf '%s\0' "$@" | xargs -0 -n 1 -P "$(nproc)" "$tidier" "${options[@]}" 2>>"$build/lint.log"
}

# tidy_tree SOURCES [OPTION...]: each source once, with the first flags it is compiled with. The
# compiler is the tidier's own, so that it can read its precompiled headers: a third less to do.
tidy_tree() {
  local part=$1 status=0
  local tree=$build/lint/${part//[.\/]/_} source sources=() tests=() headers=()
  configure_tree "$part" "$tree" "${tidier/-tidy/++}" "${@:2}" >"$build/configure.log" 2>&1 ||
    { cat "$build/configure.log" >&2; return 1; }
  mkdir -p "$tree/once"
  jq 'unique_by(.file)' "$tree/compile_commands.json" >"$tree/once/compile_commands.json" || return
  mapfile -t headers < <(grep -o "include-pch -Xclang [^ ]*" "$tree/once/compile_commands.json" |
    sed "s|.* $tree/||" | sort -u)
  if [[ ${#headers[@]} -gt 0 ]]; then
    ninja -C "$tree" "${headers[@]}" >"$build/lint.log" || { cat "$build/lint.log"; return 1; }
  fi
  while read -r source; do
    [[ $source == */my_test.cpp || $source == */cmake_pch.hxx.cxx || -n ${seen[$source]:-} ]] && continue
    seen[$source]=1
    if is_test "$source"; then tests+=("$source"); else sources+=("$source"); fi
  done < <(jq -r '.[].file' "$tree/once/compile_commands.json")
  tidy "$tree/once" "${sources[@]}" || status=1
  tidy "$tree/once" --checks='-clang-analyzer-*' "${tests[@]}" || status=1
  return $status
}

lint() {
  local status=0 part
  local -A seen=() # by more than one of these trees
  tidy_tree . -DWORKBOOK_SUBMISSION=solutions -DBUILD_TESTING=ON || status=1
  for part in tasks/runtime/tests tasks/testing/tests grader/explorer; do
    tidy_tree "$part" || status=1
  done
  return $status
}

# build_and_test TREE TARGET [CTEST OPTION...]: one test per core, unless an option says otherwise.
build_and_test() {
  local tree=$1 target=$2
  shift 2
  ninja -C "$tree" "$target" >"$tree/build.log" || { tail -n 40 "$tree/build.log"; return 1; }
  ctest --test-dir "$tree" --output-on-failure --no-tests=error -j "$(nproc)" "$@"
}

# grader_tests KIND [CTEST OPTION...]: linked with the very objects of the grader that is used.
grader_tests() {
  local kind=$1
  shift
  BUILD=$build WITH_TESTS=ON bash grader/build.sh "grader_${kind}_tests" &&
    ctest --test-dir "$build/tools" --output-on-failure --no-tests=error -L "$kind" "$@"
}

unit() {
  local status=0
  build_and_test "$build/checked_tasks_runtime_tests" all || status=1
  build_and_test "$build/checked_grader_explorer" all || status=1
  grader_tests quick || status=1
  return $status
}

# These tests read what sanitizers say, source lines included. For those Clang's need a program of a
# package of its own; addr2line, which comes with every linker, does as well.
kit() {
  local lines=external_symbolizer_path=/usr/bin/addr2line
  TSAN_OPTIONS=$lines ASAN_OPTIONS=$lines UBSAN_OPTIONS=$lines \
    build_and_test "$build/checked_tasks_testing_tests" all -j $((3 * $(nproc)))
}

run_grader() { "$grader" --root . --build-dir "$build" "$@"; }

# `today` becomes these, beginning with another one each day: 7 leads through all of 3 and of 15.
begin_elsewhere() { # begin_elsewhere OPTION...
  local first=$(($(date +%-j) * 7 % $#))
  today=("${@:first + 1}" "${@:1:first}")
}

# An option for each task.
mapfile -t each_task < <(sed -n 's/^number *= *\([0-9]*\).*/--task=\1/p' tasks/*/task.toml)

# As the instructor does: everything earns all its points, whichever right versions are drawn for the
# own tests.
references() {
  local tasks=${#each_task[@]} status=1 today
  [[ $tasks -gt 0 ]] && run_grader verify || return
  # "No verdict" (3) is an answer, too: on a busy machine the grader is asked again.
  for _ in 1 2 3; do
    run_grader grade --submission solutions --fail-below $((3 * tasks))
    status=$?
    [[ $status -eq 3 ]] || break
  done
  begin_elsewhere "${each_task[@]}"
  [[ $status -eq 0 ]] && as_a_learner &&
    run_grader audit --own-tests --quick "${today[@]:0:${OWN_TESTS:-$tasks}}"
}

# The same headers where a learner writes them, beside the suites: the same programs, so that
# nothing has to be compiled. Whoever hands in the workbook's own gets one point for each.
as_a_learner() {
  local folder solution status
  folder=$(mktemp -d) && cp -r tasks/. "$folder" && rm -rf "$folder/.workbook" || return
  for solution in solutions/[0-9]*/; do
    cp "$solution"*.hpp "$solution"my_test.cpp "$folder/$(basename "$solution")" || return
  done
  run_grader grade --submission "$folder" --no-ledger --json "$folder/results.json" &&
    jq -e 'all(.tasks[]; .score == 1 and .own_test.result == "qualified")' "$folder/results.json"
  status=$?
  rm -rf "$folder"
  return $status
}

# audit OPTION...: every flawed version once, until something rejects it, and every right one.
audit() {
  run_grader audit --quick --right-runs "${RIGHT_RUNS:-1}" "$@"
}

# Suites whose threads lose time in the worst moments still accept every reference. Other moments
# on another day.
disturbed() {
  local suites=() today=() tree=$build/checked
  mapfile -t suites < <(find tasks -name suite.cpp -printf '%h\n' | xargs -n 1 basename | sort)
  [[ ${#suites[@]} -gt 0 ]] || return
  begin_elsewhere "${suites[@]}"
  suites=("${today[@]:0:${DISTURBED_SUITES:-${#suites[@]}}}")
  ninja -C "$tree" disturbance "${suites[@]/%/_suite}" >"$tree/build.log" ||
    { tail -n 40 "$tree/build.log"; return 1; }
  local seeds first
  first=$((10#$(date +%j) * 100))
  mapfile -t seeds < <(seq "$first" $((first + ${DISTURBED_RUNS:-3} - 1)))
  printf '%s\n' "${suites[@]}" | xargs -P "$(nproc)" -I {} \
    bash grader/tests/disturb.sh "$tree" {} "${seeds[@]}"
}

# Every flawed version is rejected: all of them, or one of VERSIONS_PARTS parts a day.
flawed() { # flawed OPTION...
  audit --parts "${VERSIONS_PARTS:-1}" --part "$(date +%-j)" "$@"
}

versions() { flawed "${each_task[@]}"; }

# The challenges: met by their references, and not by what looks right.
stretch() {
  local challenges
  mapfile -t challenges < <(sed -n 's/^number *= *\([0-9]*\).*/--challenge=s\1/p' \
    stretch/*/task.toml)
  run_grader stretch --submission solutions && flawed "${challenges[@]}"
}

# Each hostile submission scores nothing, for the right reason, and leaves nothing behind.
hostile() { grader_tests bench --timeout 600; }

# Graders that are killed, run out of disk or meet each other lose nothing.
interrupted() { BUILD=$build timeout 1200 bash grader/tests/interrupted.sh "${KILLS:-30}"; }

wanted=("$@")
printf '=== building the grader\n'
BUILD=$build bash grader/build.sh || exit 3
step format format
if wants unit kit disturbed; then
  configure >"$build/configure.log" 2>&1 || { cat "$build/configure.log" >&2; exit 3; }
fi
step lint lint
step unit unit
step kit kit
step references references
step disturbed disturbed
step versions versions
step hostile hostile
step interrupted interrupted
step stretch stretch

for name in "${again[@]}"; do printf '\n=== once more, of %s\n' "$name" && retell "$name"; done
printf '\n'
printf '%s\n' "${summary[@]}"
printf '\n%d passed, %d failed\n' "$passed" "${#again[@]}"
[[ ${#again[@]} -eq 0 && $passed -gt 0 ]]
