#!/usr/bin/env bash
# run_at_level.sh LEVEL PROGRAM FOLDER: runs a test program with the libraries for processors of this level of x86-64
# (none: of any processor), and checks that the dynamic linker took them. 77 (skipped) on a processor without this level.
set -euo pipefail
level=$1 program=$2 folder=$3
loader=/lib64/ld-linux-x86-64.so.2
if [ "$level" != none ] && ! grep -q "$level (supported" <<<"$("$loader" --help)"; then
  echo "skipped: this processor has no $level"
  exit 77
fi
library=$("$loader" --glibc-hwcaps-mask "$level" --list "$program" | sed -n "s/.*libpoise_${folder}[^ ]* => \([^ ]*\) .*/\1/p")
case $level:$library in
  none:*/glibc-hwcaps/*) echo "$library was loaded in place of the plain library" >&2; exit 1 ;;
  none:* | *:*/glibc-hwcaps/"$level"/*) ;;
  *) echo "$library was loaded in place of the one for $level" >&2; exit 1 ;;
esac
exec "$loader" --glibc-hwcaps-mask "$level" "$program"
