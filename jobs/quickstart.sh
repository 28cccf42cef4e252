#!/usr/bin/env bash
# From a fresh clone to a trained model: installs, builds, trains with the live audit, draws the figure.
set -euo pipefail
# shellcheck source=jobs/environment.sh
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

usage() {
  cat <<'TEXT'
usage: jobs/quickstart.sh [--no-install] [--run DIR] [--ranks N] [--help]
Installs missing packages, builds Poise, trains the deep equilibrium linear model on the handwritten digits,
checks the bounds of the theorem during the training, and draws the figure.
  --no-install   install nothing
  --run DIR      directory of the run (default: the first free runs/quickstart-NNN)
  --ranks N      number of MPI ranks (default: 2)
The exit code is the exit code of the run: 0 all bounds held, 1 a bound or a solve failed, 2 bad usage or input.
TEXT
}

install=true
ranks=2
run=
while [ $# -gt 0 ]; do
  case $1 in
    --no-install) install=false ;;
    --run) [ -n "${2:-}" ] || die "--run needs a directory" && run=$(realpath -m "$2") && shift ;;
    --ranks) [ -n "${2:-}" ] || die "--ranks needs a number" && ranks=$2 && shift ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && die "unknown argument '$1'" ;;
  esac
  shift
done
[[ $ranks =~ ^[1-9][0-9]*$ ]] || die "--ranks $ranks: give a positive number"

cd "$POISE_ROOT"
if [ -z "$run" ]; then
  number=1
  while [ -e "$(printf 'runs/quickstart-%03d' $number)" ]; do number=$((number + 1)); done
  run=$(printf 'runs/quickstart-%03d' $number)
fi
[ ! -e "$run/run.h5" ] || die "$run already holds a run; choose another directory"

if [ "$install" = true ]; then
  say "1/4 Dependencies"
  jobs/install_dependencies.sh
fi

say "2/4 Build (release, in build/; a first build takes a few minutes)"
cmake --preset release
cmake --build build --target apps/all --parallel "$(processors)"
[ -x build/apps/poise-train ] || die "the build made no build/apps/poise-train"

say "3/4 Training on data/digits.h5 with $ranks ranks, run directory $run"
train=(mpirun -n "$ranks" build/apps/poise-train -data data/digits.h5 -features whiten -gamma 0.8
  -loss squared -dynamics flow -time 6 -run "$run")
mpi_environment "$ranks"
mkdir -p "$(dirname "$run")"
printf '%q ' "${train[@]}" && echo
code=0
"${train[@]}" || code=$?

say "4/4 Figure"
figure="$run/figures/run.png"
python=$(find_python) || python=python3
if [ -e "$run/run.h5" ]; then
  "$python" apps/plot_run.py "$run" || figure="none: see the message above"
else
  figure="none: the run wrote no history"
fi

case $code in
  0) verdict="done: every bound held" ;;
  75) verdict="stopped on request with a checkpoint" ;;
  *) verdict="FAILED with exit code $code: see the messages above" ;;
esac
say "Verdict: $verdict"
cat <<TEXT
  run directory   $run
  figure          $figure
TEXT
next=(mpirun -n "$ranks" build/apps/poise-train -run "$run" -resume)
case $code in
  0) echo "Next, resume the run from its last checkpoint up to twice the time, then draw again:" && next+=(-time 12) ;;
  75) echo "Next, resume the run:" ;;
  *) echo "Next, read the options of the program:" && next=(build/apps/poise-train -help) ;;
esac
printf '  ' && printf '%q ' "${next[@]}" && echo
if [ "$code" -eq 0 ]; then printf '  ' && printf '%q ' "$python" apps/plot_run.py "$run" && echo; fi
if [ "$(id -u)" -eq 0 ]; then
  echo "(as root, mpirun also needs: export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1)"
fi
exit "$code"
