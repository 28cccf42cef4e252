#!/usr/bin/env bash
# Installs missing packages, builds the preset release with warnings as errors, runs every test.
# The last line is "N passed, N failed"; the exit code is 0 only if tests ran and none failed.
set -euo pipefail
# shellcheck source=jobs/environment.sh
. "$(dirname "${BASH_SOURCE[0]}")/../jobs/environment.sh"
# shellcheck source=tests/suite.sh
. "$POISE_ROOT/tests/suite.sh"

usage() {
  cat <<'TEXT'
usage: tests/run.sh [--no-install] [arguments of ctest]
  --no-install   install nothing
examples:
  tests/run.sh                  all tests
  tests/run.sh -L unit          one group: unit, verify, invariants, faults, slurm, fuzz, install
  tests/run.sh -R linalg -V     by name, with the output of the tests
TEXT
}

read_arguments "$@"
configure_and_build release
run_suite "$POISE_ROOT/build" "${arguments[@]}"
