#!/usr/bin/env bash
# Installs missing packages, builds the preset asan, runs the tests under the sanitizers of addresses (with leaks) and of
# undefined behaviour. The last line is "N passed, N failed"; the exit code is 0 only if tests ran and none failed.
set -euo pipefail
# shellcheck source=jobs/environment.sh
. "$(dirname "${BASH_SOURCE[0]}")/../jobs/environment.sh"
# shellcheck source=tests/suite.sh
. "$POISE_ROOT/tests/suite.sh"

usage() {
  cat <<'TEXT'
usage: tests/sanitize.sh [--quick] [--no-install] [arguments of ctest]
  --no-install   install nothing
  --quick        the unit tests on 1 and 3 ranks
examples:
  tests/sanitize.sh                  all tests except the groups install and slurm
  tests/sanitize.sh -R linalg -V     by name, with the output of the tests
TEXT
}

if [ "${1:-}" = --quick ]; then set -- -R '^(test_unit_.*\.np[13]|sanitizer.*)$' "${@:2}"; fi
read_arguments "$@"
configure_and_build asan
run_suite "$POISE_ROOT/build-asan" "${arguments[@]}"
