#!/usr/bin/env bash
# Installs missing packages, builds the programs for valgrind, runs a training, its resumption and its audit on 2 ranks under
# valgrind. The last line is "N passed, N failed"; the exit code is 0 only if valgrind reported nothing.
set -euo pipefail
# shellcheck source=jobs/environment.sh
. "$(dirname "${BASH_SOURCE[0]}")/../jobs/environment.sh"
# shellcheck source=tests/suite.sh
. "$POISE_ROOT/tests/suite.sh"

usage() {
  cat <<'TEXT'
usage: tests/valgrind.sh [--no-install] [arguments of ctest]
  --no-install   install nothing
examples:
  tests/valgrind.sh         run
  tests/valgrind.sh -V      with the counts of valgrind
TEXT
}

read_arguments "$@"
command -v valgrind >/dev/null || die "valgrind is not installed"
configure_and_build valgrind --target poise-train poise-audit poise-data poise-defect
run_suite "$POISE_ROOT/build-valgrind" -L valgrind "${arguments[@]}"
