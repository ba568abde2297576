#!/bin/sh
# check.sh CATALOGUE_EXPLORED SEEDS SECONDS: every bug is found with every seed, every right twin passes.
[ -x "$1" ] || { echo "no such program: $1"; exit 1; }
program=$1 seeds=$2 seconds=$3
missed=$(setarch -R "$program" all flawed --seconds=1 --repeat="$seeds" | grep -E '"kind":"(none|cannot be explored)"|"reproduced":false')
alarms=$(setarch -R "$program" all right --seconds="$seconds" | grep -v '"kind":"none"')
[ -z "$missed$alarms" ] && exit 0
echo "missed or not reproduced:"; echo "$missed"
echo "false alarms:"; echo "$alarms"
exit 1
