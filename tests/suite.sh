# shellcheck shell=bash
# Sourced by the scripts of this folder, after jobs/environment.sh. Defines read_arguments,
# configure_and_build, run_suite; needs usage.

# read_arguments ARGUMENTS: sets `arguments`, the arguments for ctest; installs missing packages unless --no-install is
# given.
read_arguments() {
  local install=true argument
  arguments=()
  for argument in "$@"; do
    case $argument in
      --no-install) install=false ;;
      --help) usage && exit 0 ;;
      *) arguments+=("$argument") ;;
    esac
  done
  [ "$install" = false ] || "$POISE_ROOT/jobs/install_dependencies.sh"
}

# configure_and_build PRESET [arguments of cmake --build]
configure_and_build() {
  say "Building ($1, warnings are errors)"
  # cmake needs the folder of the presets. ctest does not change the folder, so relative paths of the caller are valid.
  (cd "$POISE_ROOT" && cmake --preset "$1" -DPOISE_WERROR=ON -DPOISE_TESTS=ON)
  (cd "$POISE_ROOT" && cmake --build --preset "$1" --parallel "$(processors)" "${@:2}")
}

# run_suite BUILD_DIRECTORY [arguments of ctest]: the last line is "N passed, N failed"; returns 0 only if tests ran
# and none failed. A test takes as many slots as it has ranks at a time (PROCESSORS of ctest). There are two slots for
# a processor, because most of a test's time is mpirun's start. `test_slots`, if set, is their number.
run_suite() {
  say "Testing"
  local results=$1/test-results.xml code=0 total passed=0 failed=0 skipped=0
  rm -f "$results"
  ctest --test-dir "$1" --parallel "${test_slots:-$((2 * $(processors)))}" --output-on-failure --no-tests=error \
    --output-junit "$results" "${@:2}" || code=$?

  # Every test that did not pass counts as failed: failed, timed out, not run. A skipped test has said itself that it
  # cannot run: tests of SLURM and of clang without their packages.
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
  return "$code"
}
