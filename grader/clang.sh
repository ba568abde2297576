# shellcheck shell=bash
# Sourced. Which of several Clangs the grader, its tests and its benchmarks are built with.

# The newest one, 19 or later, whose sanitizers are there too (Debian packs them apart, and other
# packages bring a compiler without them); else the newest; nothing where there is none.
newest_clang() { # newest_clang: prints its number
  local version runtime newest=
  for version in 22 21 20 19; do
    hash "clang++-$version" 2>/dev/null || continue
    newest=${newest:-$version}
    runtime=(/usr/lib/llvm-"$version"/lib/clang/*/lib/linux/libclang_rt.tsan-*.a)
    if [[ -e ${runtime[0]} ]]; then newest=$version && break; fi
  done
  printf '%s\n' "$newest"
}
