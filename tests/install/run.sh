#!/usr/bin/env bash
# Installs the build into a temporary prefix and builds and runs a separate project against it.
set -euo pipefail
[ $# -eq 2 ] || { echo "usage: tests/install/run.sh BUILD_DIRECTORY MPIEXEC" >&2; exit 2; }
build=$1
mpiexec=$2
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# The programs must find the installed libraries, not the libraries of the build.
unset LD_LIBRARY_PATH

cmake --install "$build" --prefix "$scratch/prefix" >"$scratch/install.log" || { cat "$scratch/install.log"; exit 1; }
for file in include/poise/base/process_grid.hpp share/poise/petsc_opts/flow_rk5f.opts share/doc/poise/THEORY.md share/doc/poise/README.md \
  share/doc/poise/LICENSE share/poise/jobs/train.sbatch bin/poise-predict bin/plot_run.py bin/plot_bench.py bin/poise_package.py \
  share/poise/python/pyproject.toml share/poise/python/poise/figures/run.py; do
  [ -e "$scratch/prefix/$file" ] || { echo "not installed: $file" >&2; exit 1; }
done
if [ -d "$build/glibc-hwcaps" ]; then
  variants=$(find "$scratch/prefix" -path '*/glibc-hwcaps/x86-64-v?/libpoise_*' | wc -l)
  [ "$variants" -eq 4 ] || { echo "$variants libraries for newer processors are installed, not 4" >&2; exit 1; }
fi
if grep -rl "$build" "$scratch/prefix" --include='*.cmake'; then
  echo "these installed files name the build directory" >&2
  exit 1
fi

# An installed Poise can be moved, and its jobs find its programs.
mv "$scratch/prefix" "$scratch/moved"
(
  # shellcheck source=jobs/cluster.sh
  . "$scratch/moved/share/poise/jobs/cluster.sh"
  unset POISE_BIN
  [ "$(program poise-train)" -ef "$scratch/moved/bin/poise-train" ]
  [ "$(script gather_runs.py)" -ef "$scratch/moved/bin/gather_runs.py" ]
)
cmake -S "$source_dir" -B "$scratch/build" -G Ninja -DCMAKE_PREFIX_PATH="$scratch/moved"
cmake --build "$scratch/build"
"$mpiexec" -n 2 "$scratch/build/uses_poise" -m 7 | tee "$scratch/output"
grep -qx '2 ranks: every row is 28' "$scratch/output"

# Programs with a model, loss or dynamics of their own: each trains, is killed, resumes on a different number of ranks with
# the same results, and is audited. extension NAME [OPTIONS OF THE RUN]: writes NAME.straight, NAME.resumed, NAME.audit.
digits="$scratch/moved/share/poise/data/digits.h5"
program() {
  local ranks=$1 name=$2
  shift 2
  "$mpiexec" -n "$ranks" "$scratch/build/$name" "$@"
}
# Kills the program with all its ranks as soon as it has written the checkpoint of step 20.
run_and_kill() {
  local name=$1 run=$2
  shift 2
  program 2 "$name" "$@" -run "$run" -steps 1000000 >"$run.killed" 2>&1 &
  local started=$! waited=0
  until ls "$run"/checkpoints/*20.h5 >/dev/null 2>&1; do
    sleep 0.1
    waited=$((waited + 1))
    [ "$waited" -lt 600 ] || { cat "$run.killed"; return 1; }
  done
  pkill -KILL -f "$scratch/build/$name .*-run $run" || true
  wait "$started" || true
}
last_row() { grep -E '^ +60 ' "$1" | cut -c 1-32; }
extension() {
  local name=$1
  shift
  local common=(-data "$digits" -train_samples 300 -checkpoint_every 10 -checkpoint_keep 0 "$@")
  program 2 "$name" "${common[@]}" -run "$scratch/straight.$name" -steps 60 >"$scratch/$name.straight"
  run_and_kill "$name" "$scratch/parts.$name" "${common[@]}"
  # Resume from step 20: remove later checkpoints.
  find "$scratch/parts.$name/checkpoints" -name '*.h5' | sort | sed '1,3d' | xargs -r rm
  program 3 "$name" -run "$scratch/parts.$name" -resume -steps 60 >"$scratch/$name.resumed"
  cat "$scratch/$name.resumed"
  grep -q 'step 60,' "$scratch/parts.$name/DONE"
  [ -n "$(last_row "$scratch/$name.straight")" ]
  [ "$(last_row "$scratch/$name.straight")" = "$(last_row "$scratch/$name.resumed")" ]
  program 2 "$name" audit -run "$scratch/parts.$name" >"$scratch/$name.audit" || { cat "$scratch/$name.audit"; exit 1; }
  cat "$scratch/$name.audit"
  grep -q '^steps taken again .* yes  60 of 60 steps$' "$scratch/$name.audit"
  grep -q '^verdict: all .* rows held' "$scratch/$name.audit"
}
# refused NAME OPTION VALUE: the installed poise-audit lacks the extension, and refuses the run with a message.
refused() {
  local code=0
  "$scratch/moved/bin/poise-audit" -run "$scratch/parts.$1" 2>"$scratch/unknown" || code=$?
  [ "$code" -eq 2 ]
  grep -q "option -$2: '$3' is not one of its choices" "$scratch/unknown"
}

# A model that is not pointwise.
extension own_model -model sine -sine_gamma 0.7 -features whiten -features_rank_cut 0.03 -loss cross_entropy -dynamics descent \
  -step_size 1
program 1 own_model -help >"$scratch/help"
grep -q 'sine: z = W sin(z) + features(x)' "$scratch/help"
grep -q 'sine_gamma' "$scratch/help"
grep -q 'sine, gamma = 0.7' "$scratch/own_model.resumed"
grep -q '‖∂h/∂z‖₂ ≤ 0.7' "$scratch/own_model.resumed"
code=0
program 2 own_model -run "$scratch/parts.own_model" -resume -steps 70 -sine_gamma 0.6 2>"$scratch/changed" || code=$?
[ "$code" -ne 0 ]
grep -q 'sine_gamma' "$scratch/changed"
code=0
program 2 own_model -data "$digits" -model pointwise -sine_gamma 0.6 -time 0.1 -run "$scratch/without" 2>"$scratch/without.err" || code=$?
[ "$code" -eq 2 ]
grep -q -- '-sine_gamma 0.6 does not go with -model pointwise' "$scratch/without.err"
refused own_model model sine
program 2 own_model spectrum -run "$scratch/parts.own_model" -json "$scratch/spectrum.json" >"$scratch/spectrum"
grep -q 'step 60, .*; sine, ' "$scratch/spectrum"
grep -q 'do not apply: -model sine has no weights W of the form a(Wz + u)' "$scratch/spectrum"
grep -q '^  sigma_max ' "$scratch/spectrum"
grep -q '"model": "sine"' "$scratch/spectrum.json"
program 3 own_model predict -run "$scratch/parts.own_model" -data "$digits" -set test -out "$scratch/predicted.h5" >"$scratch/predicted"
grep -q '^loss (cross_entropy) .* over 297 samples, accuracy 0\.[0-9]*$' "$scratch/predicted"
code=0
"$scratch/moved/bin/poise-spectrum" -run "$scratch/parts.own_model" 2>"$scratch/unknown" || code=$?
[ "$code" -eq 2 ]
grep -q "option -model: 'sine' is not one of its choices" "$scratch/unknown"

# A loss to which Theorem 1 does not apply.
extension own_loss -loss pseudo_huber -dynamics descent -step_size 0.01
grep -q '^Theorem 1: .* does not apply: no theorem is known for -loss pseudo_huber$' "$scratch/own_loss.audit"
refused own_loss loss pseudo_huber

# A feature map.
extension own_features -features quadratic -quadratic_weight 0.3 -dynamics descent -step_size 1e-4
program 1 own_features -help features >"$scratch/help"
grep -q 'quadratic: standardised inputs and their squares' "$scratch/help"
grep -q '^  features  quadratic, weight 0.3, 129: 128 from 64 inputs and the constant$' "$scratch/own_features.resumed"
grep -q '^features fitted again to the data equal the stored ones .* yes' "$scratch/own_features.audit"
code=0
program 2 own_features -run "$scratch/parts.own_features" -resume -steps 70 -quadratic_weight 0.4 2>"$scratch/changed" || code=$?
[ "$code" -eq 2 ]
grep -q 'option -quadratic_weight is 0.4 but the run was made with 0.3' "$scratch/changed"
code=0
program 2 own_features -data "$digits" -quadratic_weight 0.4 -time 0.1 -run "$scratch/without" 2>"$scratch/without.err" || code=$?
[ "$code" -eq 2 ]
grep -q -- '-quadratic_weight 0.4 does not go with -features whiten' "$scratch/without.err"
refused own_features features quadratic

# Dynamics.
extension own_dynamics -dynamics normalised -normalised_step 0.1
program 1 own_dynamics -help >"$scratch/help"
grep -q 'normalised: steps of length -normalised_step' "$scratch/help"
grep -qx '  dynamics  normalised, to step 60' "$scratch/own_dynamics.straight"
grep -q '^column sums of A .* yes$' "$scratch/own_dynamics.audit"
grep -q '^Theorem 1: .* does not apply: the run has -dynamics normalised$' "$scratch/own_dynamics.audit"
refused own_dynamics dynamics normalised

# The installed programs find the installed libraries.
for program in "$scratch"/moved/bin/poise-*; do
  [ -x "$program" ] || continue
  "$program" -help >"$scratch/help" || { cat "$scratch/help"; echo "$program does not start" >&2; exit 1; }
done

# The installed scripts find the installed Python package, which refuses what these programs have added, by name.
# shellcheck source=jobs/environment.sh
. "$source_dir/../../jobs/environment.sh"
python=$(find_python)
"$python" "$scratch/moved/bin/plot_run.py" "$scratch/parts.own_model" --format png
python_refuses() {
  PYTHONPATH="$scratch/moved/share/poise/python" "$python" -c '
import sys, poise
run = poise.open_run(sys.argv[1])
try:
    run.model().score(run.data().train)
except poise.Error as error:
    print(error)
' "$scratch/parts.$1" | tee "$scratch/refused"
  grep -q "$2" "$scratch/refused"
}
python_refuses own_model '^-model sine is the model of another program'
python_refuses own_loss '^-loss pseudo_huber is the loss of another program'
python_refuses own_features "has the features 'quadratic' of another program"
