#!/usr/bin/env bash
# Installs what is needed and this machine lacks, and says so first. Does nothing, quickly, when
# everything is there. Ends with 3 when the machine can't be made to do it.
#
#   setup.sh              what grading needs
#   setup.sh test         and what checking the workbook itself needs; also: bench
#   setup.sh stretch s1   and what this challenge needs; without a name: all of them
set -euo pipefail
. grader/clang.sh

# One command or file per package that tells whether it is there: looking is a thousand times
# faster than asking the package manager.
needed=(
  "cmake:cmake" "ninja:ninja-build" "bwrap:bubblewrap" "ccache:ccache" "prlimit:util-linux"
  "/usr/include/gtest/gtest.h:libgtest-dev" "/usr/include/fmt/core.h:libfmt-dev"
  "/usr/include/nlohmann/json.hpp:nlohmann-json3-dev" "/usr/include/CLI/CLI.hpp:libcli11-dev"
  "/usr/include/toml++/toml.h:libtomlplusplus-dev" "/usr/include/rapidcheck.h:librapidcheck-dev"
)
redis_needs=("redis-server:redis-server" "/usr/include/hiredis/hiredis.h:libhiredis-dev")
postgres_needs=(
  "/usr/lib/postgresql/*/bin/initdb:postgresql" "/usr/include/postgresql/libpq-fe.h:libpq-dev"
)
# A task's task.toml says which services it needs.
services=$(sed -n 's/^services *= *\[\(.*\)\].*/\1/p' tasks/*/task.toml)
case ${1:-grade} in
  grade) ;;
  test)
    needed+=("clang-format-19:clang-format-19" "shellcheck:shellcheck" "git:git" "jq:jq" "${postgres_needs[@]}")
    ;;
  bench)
    needed+=("/usr/include/benchmark/benchmark.h:libbenchmark-dev"
      "/usr/include/boost/thread/future.hpp:libboost-thread-dev")
    ;;
  stretch)
    challenge=${2:-}
    services+=$(sed -n 's/^services *= *\[\(.*\)\].*/\1/p' stretch/s"${challenge#s}"*/task.toml)
    ;;
esac
if [[ $services == *redis* ]]; then needed+=("${redis_needs[@]}"); fi
if [[ $services == *postgres* ]]; then needed+=("${postgres_needs[@]}"); fi

is_there() { # a command or a file
  case $1 in
    /*) compgen -G "$1" >/dev/null || compgen -G "${1/include/include/*-linux-gnu}" >/dev/null ;;
    *) hash "$1" 2>/dev/null ;;
  esac
}

missing=()
for entry in "${needed[@]}"; do
  is_there "${entry%%:*}" || missing+=("${entry##*:}")
done
# The one of 22 does not look for faults in system headers, and takes half the time.
if [[ ${1:-} == test ]] && ! is_there clang-tidy-22; then
  if ! is_there clang-tidy-19 || apt-cache show clang-tidy-22 >/dev/null 2>&1; then
    missing+=("clang-tidy-22")
  fi
fi
# Clang 19 compiles twice as fast as GCC and needs a fifth of its memory under ThreadSanitizer;
# where the distribution has no Clang 19 or newer, GCC 12 or newer grades as well.
clang=$(newest_clang)
if [[ -n $clang ]]; then
  is_there "ld.lld-$clang" || is_there ld.lld || missing+=("lld-$clang")
  runtime=(/usr/lib/llvm-"$clang"/lib/clang/*/lib/linux/libclang_rt.tsan-*.a)
  [[ -e ${runtime[0]} ]] || missing+=("libclang-rt-$clang-dev")
elif [[ -e ${BUILD:-build}/.gcc-it-is ]] && is_there g++; then
  : # asked before: this distribution has no such Clang
else
  missing+=("clang-19" "libclang-rt-19-dev" "lld-19")
fi
is_there g++ || missing+=("g++") # its standard library serves Clang too
is_there mold || is_there ld.lld || missing+=("mold")

if [[ ${#missing[@]} -eq 0 ]]; then exit 0; fi

give_up() {
  printf '%s\n' "$1" "These packages are needed (Debian 12 and Ubuntu 24.04 call them so):" \
    "  ${missing[*]}" "Install them, then run this again." >&2
  exit 3
}
hash apt-get 2>/dev/null || give_up "This machine has no apt-get, and something is missing."

run_as_root=()
if [[ $(id -u) -ne 0 ]]; then
  hash sudo 2>/dev/null || give_up "Installing needs root, and there is no sudo here."
  run_as_root=(sudo)
fi

printf 'Some packages are missing and will be installed: %s\n' "${missing[*]}"
if [[ ${#run_as_root[@]} -gt 0 ]]; then printf 'sudo may ask for your password.\n'; fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
  "${run_as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
    --no-install-recommends "$@" >"$log" 2>&1
}
"${run_as_root[@]}" apt-get update -q >"$log" 2>&1 ||
  printf 'The package lists could not be renewed; trying with those that are here.\n'

# An older distribution may lack a package that only makes things faster: go on without it.
gcc_it_is=false
wanted=()
for package in "${missing[@]}"; do
  if apt-cache show "$package" >/dev/null 2>&1; then
    wanted+=("$package")
  elif [[ $package == clang-tidy-22 ]]; then
    wanted+=("clang-tidy-19")
  elif [[ $package == *clang* || $package == lld-19 ]]; then
    gcc_it_is=true
  elif [[ $package != mold && $package != ccache ]]; then
    missing=("$package") && give_up "This distribution does not have a package that is needed."
  fi
done
if ! install "${wanted[@]}"; then
  tail -n 15 "$log" >&2
  missing=("${wanted[@]}") && give_up "The packages could not be installed."
fi
if $gcc_it_is; then
  printf 'No Clang 19 here: grading with g++.\n'
  mkdir -p "${BUILD:-build}" && : >"${BUILD:-build}/.gcc-it-is"
fi
