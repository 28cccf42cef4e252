#!/usr/bin/env bash
# Installs what is missing, builds in release with warnings as errors, runs every test.
# The last line is "N passed, N failed"; the exit code is 0 only if tests ran and none failed.
set -euo pipefail
# shellcheck source=jobs/environment.sh
. "$(dirname "${BASH_SOURCE[0]}")/../jobs/environment.sh"

usage() {
  cat <<'TEXT'
usage: tests/run.sh [--no-install] [arguments of ctest]
  --no-install   install nothing
examples:
  tests/run.sh                  all tests
  tests/run.sh -L unit          one group: unit, verify, invariants, slurm, fuzz, install
  tests/run.sh -R linalg -V     by name, with the output of the tests
TEXT
}

install=true
arguments=()
for argument in "$@"; do
  case $argument in
    --no-install) install=false ;;
    --help) usage && exit 0 ;;
    *) arguments+=("$argument") ;;
  esac
done

[ "$install" = false ] || "$POISE_ROOT/jobs/install_dependencies.sh"

# Paths and patterns among the arguments belong to ctest, so this works from any directory.
say "Building (release, warnings are errors)"
(cd "$POISE_ROOT" && cmake --preset release -DPOISE_WERROR=ON -DPOISE_TESTS=ON)
cmake --build "$POISE_ROOT/build" --parallel "$(processors)"

say "Testing"
results="$POISE_ROOT/build/test-results.xml"
rm -f "$results"
code=0
ctest --test-dir "$POISE_ROOT/build" --parallel "$(processors)" --output-on-failure --no-tests=error \
  --output-junit "$results" "${arguments[@]}" || code=$?

# Anything that did not pass counts as failed: failed, timed out, not run. Skipped are the tests that say themselves
# that they cannot run here: those of SLURM and of clang without their packages.
passed=0
failed=0
skipped=0
if [ -f "$results" ]; then
  total=$(grep -c '^[[:space:]]*<testcase ' "$results" || true)
  passed=$(grep -c '^[[:space:]]*<testcase .* status="run">' "$results" || true)
  skipped=$(grep -c '<skipped message="SKIP_RETURN_CODE=' "$results" || true)
  failed=$((total - passed - skipped))
fi
if [ "$skipped" -gt 0 ]; then
  printf '\n%d skipped: ' "$skipped"
  sed -n 's/.*\(skipped: \)/\1/p' "$results" | sed 's/^skipped: //' | sort -u
fi
printf '\n%d passed, %d failed\n' "$passed" "$failed"
if [ "$code" -eq 0 ] && { [ "$passed" -eq 0 ] || [ "$failed" -ne 0 ]; }; then code=1; fi
exit "$code"
