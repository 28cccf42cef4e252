#!/usr/bin/env bash
# The sanitizers write reports into files PREFIX.PID, so that no report is lost: also reports of a rank that fails later,
# and of a program whose failure a test expects.
#   reports.sh clear|show PREFIX      show: exit code 1 if there are any
set -euo pipefail
shopt -s nullglob
reports=("$2".*)
case $1 in
  clear) [ ${#reports[@]} -eq 0 ] || rm -- "${reports[@]}" ;;
  show)
    [ ${#reports[@]} -gt 0 ] || exit 0
    cat -- "${reports[@]}"
    echo "${#reports[@]} reports of the sanitizers"
    exit 1
    ;;
esac
