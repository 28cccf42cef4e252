#!/usr/bin/env bash
# Installs the build into a temporary prefix and builds and runs a separate project against it.
set -euo pipefail
[ $# -eq 2 ] || { echo "usage: tests/install/run.sh BUILD_DIRECTORY MPIEXEC" >&2; exit 2; }
build=$1
mpiexec=$2
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# What is found must be what was installed, not what the build left.
unset LD_LIBRARY_PATH

cmake --install "$build" --prefix "$scratch/prefix" >"$scratch/install.log" || { cat "$scratch/install.log"; exit 1; }
for file in include/poise/base/process_grid.hpp share/poise/petsc_opts/flow_rk5f.opts share/doc/poise/THEORY.md bin/plot_run.py bin/plot_bench.py bin/plot_style.py; do
  [ -e "$scratch/prefix/$file" ] || { echo "not installed: $file" >&2; exit 1; }
done
if grep -rl "$build" "$scratch/prefix" --include='*.cmake'; then
  echo "these installed files name the build directory" >&2
  exit 1
fi

# A prefix must be able to move.
mv "$scratch/prefix" "$scratch/moved"
cmake -S "$source_dir" -B "$scratch/build" -G Ninja -DCMAKE_PREFIX_PATH="$scratch/moved"
cmake --build "$scratch/build"
"$mpiexec" -n 2 --oversubscribe "$scratch/build/uses_poise" -m 7 | tee "$scratch/output"
grep -qx '2 ranks: every row is 28' "$scratch/output"

# A model of a user's own trains, and to the same numbers on any number of ranks.
digits="$scratch/moved/share/poise/data/digits.h5"
for ranks in 1 2; do
  "$mpiexec" -n "$ranks" --oversubscribe "$scratch/build/own_model" -data "$digits" >"$scratch/own_model.$ranks"
done
cat "$scratch/own_model.1"
cmp "$scratch/own_model.1" "$scratch/own_model.2"
grep -q 'step 60: .* accuracy 9[0-9]' "$scratch/own_model.1"

# Dynamics of a user's own train, stop, go on with another number of ranks as if they had not, and are audited.
own() {
  local ranks=$1
  shift
  "$mpiexec" -n "$ranks" --oversubscribe "$scratch/build/own_dynamics" "$@"
}
own 1 -help >"$scratch/help"
grep -q 'normalised: steps of length -normalised_step' "$scratch/help"
normalised=(-data "$digits" -train_samples 300 -dynamics normalised -normalised_step 0.1 -checkpoint_every 10
  -checkpoint_keep 0)
own 2 "${normalised[@]}" -run "$scratch/straight" -steps 60 >"$scratch/straight.txt"
own 2 "${normalised[@]}" -run "$scratch/parts" -steps 30 >"$scratch/parts.txt"
grep -qx '  dynamics  normalised, to step 30' "$scratch/parts.txt"
own 3 -run "$scratch/parts" -resume -steps 60 >"$scratch/resumed.txt"
cat "$scratch/resumed.txt"
grep -q 'step 60,' "$scratch/parts/DONE"
[ "$(grep -E '^ +60 ' "$scratch/straight.txt" | cut -c 1-32)" = "$(grep -E '^ +60 ' "$scratch/resumed.txt" | cut -c 1-32)" ]
own 2 audit -run "$scratch/parts" >"$scratch/audit.txt" || { cat "$scratch/audit.txt"; exit 1; }
cat "$scratch/audit.txt"
grep -q '^steps taken again .* yes  60 of 60 steps$' "$scratch/audit.txt"
grep -q '^column sums of A .* yes$' "$scratch/audit.txt"
grep -q '^Theorem 1: .* does not apply: the run has -dynamics normalised$' "$scratch/audit.txt"
grep -q '^verdict: all .* rows held' "$scratch/audit.txt"
code=0
"$scratch/moved/bin/poise-audit" -run "$scratch/parts" 2>"$scratch/unknown" || code=$?
[ "$code" -eq 2 ]
grep -q "option -dynamics: 'normalised' is not one of its choices" "$scratch/unknown"

# The installed programs find the installed libraries.
for program in "$scratch"/moved/bin/poise-*; do
  [ -x "$program" ] || continue
  "$program" -help >"$scratch/help" || { cat "$scratch/help"; echo "$program does not start" >&2; exit 1; }
done
