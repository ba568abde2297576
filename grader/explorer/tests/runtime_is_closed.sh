#!/bin/sh
# The runtime's object files must not call what the runtime itself answers.
[ -f "$1" ] || exit 1
found=$(nm "$1" 2>/dev/null | awk '
  /^[a-z_0-9]+\.cpp\.o:$/ { file = $1 }
  $1 == "U" && file ~ /^(atomics|base|choice|clock|condition|cxx_support|failure|futex|heap|history|memory_access|mutex|objects|once|rwlock|schedule|scheduler|semaphore|shadow|shadow_memory|stacks|strategy|threads|trace|virtual_time)\.cpp/ &&
    $2 ~ /^(memcpy|memmove|memset|memcmp|malloc|free|calloc|_Znwm|_ZNSt|_ZSt[0-9])/ && $2 != "_ZSt9terminatev" { print file, $2 }')
[ -z "$found" ] && exit 0
echo "$found"
exit 1
