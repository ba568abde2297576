#!/usr/bin/env bash
# Builds the grader, quietly unless that fails. When nothing changed this is one call of ninja.
set -euo pipefail
. grader/clang.sh

tools=${BUILD:-build}/tools
targets=(grader "$@")

configure() {
  local compiler=() clang
  clang=$(newest_clang)
  [[ -n $clang ]] && compiler=(-DCMAKE_CXX_COMPILER="clang++-$clang")
  hash ccache 2>/dev/null && compiler+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  hash mold 2>/dev/null && compiler+=(-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=mold)
  cmake -S . -B "$tools" -G Ninja -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_CXX_FLAGS_RELEASE=-O1 -DWORKBOOK_TASKS=OFF \
    "${compiler[@]}" "${configure_options[@]}"
}

# What CMake wrote tells where it is: once the checkout is elsewhere it is of no use.
has_moved() {
  local cache=$tools/CMakeCache.txt was
  [[ -e $cache ]] || return
  was=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$cache")
  [[ ! $was -ef . ]] && return
  was=$(sed -n 's/^CMAKE_CACHEFILE_DIR:INTERNAL=//p' "$cache")
  [[ ! $was -ef $tools ]]
}

# The grader waits for compilers and tests: what counts is how soon it is built itself.
configure_options=(-DBUILD_TESTING="${WITH_TESTS:-OFF}")
mkdir -p "$tools"
log=$tools/build.log
{
  flock 9 # two gradings at once must not build over each other
  if has_moved; then find "$tools" -mindepth 1 ! -name .lock -delete; fi
  if [[ ! -x $tools/grader/grader ]]; then printf '  Building the grader, once…\n'; fi
  if [[ ! -e $tools/build.ninja || -n ${WITH_TESTS:-} ]]; then
    configure >"$log" 2>&1 || { cat "$log" >&2; printf 'The grader could not be configured.\n' >&2; exit 3; }
  fi
  ninja -C "$tools" "${targets[@]}" >"$log" 2>&1 ||
    { cat "$log" >&2; printf 'The grader could not be built.\n' >&2; exit 3; }
} 9>"$tools/.lock"
