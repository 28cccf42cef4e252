# shellcheck shell=bash
# Sourced by the SLURM jobs (*.sbatch). Defines log, require_job, program, set_launch, run_training and what they
# need. Settings, by the environment: POISE_LAUNCH (mpirun or srun), POISE_BIN (folder of the programs),
# POISE_MAX_RESTARTS, POISE_RETRY_SECONDS (between questions to a controller that does not answer).
# shellcheck source=jobs/environment.sh
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

# The name of this job for SLURM. A task of an array must not go by its number alone: that of the last task is the number
# of the array, and all tasks would be requeued with it.
job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID:-}}
job=${job:-${SLURM_JOB_ID:-}}

# A full disk below the log must not end the script while the run is saved.
log() { printf '%s job %s start %s: %s\n' "$(date -u +%FT%TZ)" "$job" "${SLURM_RESTART_COUNT:-0}" "$*" || true; }

# Ends where there is no job around; sets what every rank needs.
require_job() {
  [ -n "${SLURM_JOB_ID:-}" ] || die "this is a job of SLURM: submit it with sbatch (--help says how)"
  if [ "$(id -u)" -eq 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
  # The ranks are the parallelism; a reader must not be locked out of the file of a run that goes on.
  export OPENBLAS_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1} OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}
  export HDF5_USE_FILE_LOCKING=FALSE
  export SLURM_EXPORT_ENV=ALL  # to the ranks also where the job was submitted with --export=NONE
  announce_end
}

# Newer SLURM sets SLURM_JOB_END_TIME, at which poise-train has its deadline; older SLURM has to be asked.
announce_end() {
  local end
  [ -z "${SLURM_JOB_END_TIME:-}" ] || return 0
  end=$(SLURM_TIME_FORMAT=standard squeue -h -j "$job" -o %e 2>/dev/null | head -n 1) || return 0
  [ -n "$end" ] || return 0
  end=$(date -d "$end" +%s 2>/dev/null) || return 0  # no limit: N/A
  export SLURM_JOB_END_TIME=$end
}

# program NAME: its path.
program() {
  local path=${POISE_BIN:-$POISE_ROOT/build/apps}/$1
  [ -x "$path" ] || die "there is no $path: build Poise first, or set POISE_BIN to the folder of the programs"
  echo "$path"
}

# set_launch RANKS NODES: the array `launch`, to put before a program that is to run on RANKS ranks, evenly on the
# first NODES nodes of the job.
set_launch() {
  local ranks=$1 nodes=$2 threads=${SLURM_CPUS_PER_TASK:-1}
  [ $((ranks % nodes)) -eq 0 ] || nodes=0  # not even: the launcher spreads them as it likes
  case ${POISE_LAUNCH:-mpirun} in
    mpirun)
      launch=(mpirun -n "$ranks")
      if [ "$nodes" -gt 0 ]; then launch+=(--map-by "ppr:$((ranks / nodes)):node:PE=$threads"); fi
      ;;
    srun)
      # A rank that ends ends the others only after a while: each of them is to return its own exit code.
      launch=(srun --mpi=pmix --ntasks="$ranks" --cpus-per-task="$threads" --wait=60)
      if [ "$nodes" -gt 0 ]; then launch+=(--nodes="$nodes" --ntasks-per-node=$((ranks / nodes))); fi
      ;;
    *) die "POISE_LAUNCH is '$POISE_LAUNCH': give mpirun or srun" ;;
  esac
}

# ---- A training that stops, is requeued and goes on -------------------------------------------------------------

child=
reminder=
stop_reason=${stop_reason:-}  # the head of the job has listened so far

# USR1 comes from SLURM (--signal) or from preemption, TERM from scancel and from the end of the time.
ask_to_stop() {
  stop_reason=$1
  [ -z "$child" ] || forward_usr1
  log "signal $1: the program is to write a checkpoint and stop"
}

# USR1 kills a launcher that does not yet listen, so this waits until it catches the signal (as mpirun does) or blocks
# it to wait for it (as srun does). One that comes before its ranks are there may be lost, so it is repeated.
forward_usr1() {
  local name mask listens tries
  for ((tries = 0; tries < 100; tries++)); do
    listens=0
    while read -r name mask; do
      case $name in SigCgt: | SigBlk:) listens=$((listens | 0x$mask >> 9 & 1)) ;; esac
    done <"/proc/$child/status" || return 0
    [ "$listens" -eq 0 ] || break
    sleep 0.1
  done
  kill -USR1 "$child" 2>/dev/null || return 0
  while sleep 5 && kill -USR1 "$child"; do :; done >/dev/null 2>&1 &
  reminder=$!
}

# wait_for_child: sets `code`. A trap interrupts wait, which then returns more than 128 although the child goes on; once
# the child is gone, another wait returns its own code, which may be more than 128, too.
wait_for_child() {
  local own
  code=0
  wait "$child" || code=$?
  while [ "$code" -gt 128 ] && kill -0 "$child" 2>/dev/null; do
    code=0
    wait "$child" || code=$?
  done
  own=0
  wait "$child" 2>/dev/null || own=$?
  if [ "$own" -ne 127 ]; then code=$own; fi
}

run_listening() {
  "$@" &
  child=$!
  [ -z "$stop_reason" ] || forward_usr1
  wait_for_child
  child=
  [ -z "$reminder" ] || kill "$reminder" 2>/dev/null || true
  trap '' USR1 TERM  # requeueing signals this shell, which has to finish
}

# What tells one DONE from another; empty without one.
mark_of() { stat -c '%i %Z' "$1/DONE" 2>/dev/null || true; }

# Whether there is something to go on from: checkpoints, or the table of an ensemble, whose runs have their own.
can_resume() {
  local file
  for file in "$1"/checkpoints/step-*.h5 "$1/ensemble.txt"; do
    [ ! -e "$file" ] || return 0
  done
  return 1
}

# Options are not seen here where only PETSc reads them, but the run directory says whether there is something to go on
# from.
require_run_here() {
  local files=() i
  for ((i = 0; i < ${#options[@]}; i++)); do
    if [ "${options[i]}" = -options_file ]; then files+=("${options[i + 1]:-}"); fi
  done
  if { cat "${files[@]:-/dev/null}" 2>/dev/null; printf '%s\n' "${PETSC_OPTIONS:-}"; } | sed 's/#.*//' |
    grep -Eq '(^|[[:space:]])-(run|resume)([[:space:]]|$)'; then
    die "give -run and -resume as arguments of the job, not in an options file or PETSC_OPTIONS"
  fi
}

# set_training DEFAULT_RUN OPTIONS…: `run`, the run directory, and `options`, those of poise-train for this start.
set_training() {
  local default_run=$1 i resume=false
  shift
  options=("$@")
  run=
  for ((i = 0; i < ${#options[@]}; i++)); do
    case ${options[i]} in
      -run)
        run=${options[i + 1]:-}
        [ -n "$run" ] || die "-run needs a directory"
        ;;
      -resume) resume=true ;;
    esac
  done
  require_run_here
  if [ -z "$run" ]; then run=$default_run && options+=(-run "$run"); fi
  [ "$resume" = false ] || return 0
  local restarted=$((${SLURM_RESTART_COUNT:-0} > 0))
  if can_resume "$run"; then
    # Without DONE the run is an unfinished one. With DONE, poise-train refuses to overwrite it.
    if [ "$restarted" = 1 ] || [ ! -e "$run/DONE" ]; then options+=(-resume); fi
  elif [ "$restarted" = 1 ]; then
    log "WARNING: there is no checkpoint in $run: the run begins anew. Is it on a disk that all nodes share?"
  fi
}

# requeue MOST: for a program that has stopped with a checkpoint. Ends the job.
requeue() {
  local most=${POISE_MAX_RESTARTS:-$1} state tries
  for ((tries = 0; tries < 8; tries++)); do
    [ "$tries" -eq 0 ] || sleep "${POISE_RETRY_SECONDS:-15}"  # a controller that is busy or restarts does not answer
    state=$(scontrol show job --oneliner "$job") || state=
    [ -n "$state" ] || continue
    # One that ends was cancelled or has come to its limit, or SLURM requeues it by itself: after preemption and the
    # loss of a node. Which of these is not shown while it ends.
    if [[ $state != *" JobState=RUNNING "* ]]; then
      log "ended from outside, hence not requeued here; the same sbatch command goes on from the checkpoint"
    elif [ "${SLURM_RESTART_COUNT:-0}" -ge "$most" ]; then
      log "not requeued: $most restarts are the most (POISE_MAX_RESTARTS); the same sbatch command goes on"
    elif scontrol requeue "$job"; then
      log "requeued"
    else
      continue
    fi
    exit 75
  done
  log "could not be requeued: SLURM's controller refuses or does not answer; the same sbatch command goes on from the" \
    "checkpoint"
  exit 75
}

# run_training MAX_RESTARTS DEFAULT_RUN OPTIONS…: poise-train, until its end, over as many restarts as that takes.
# Ends the job: 0 if the run has reached its end, which only the program's mark DONE proves (mpirun returns 0, too,
# where a node is lost); 75 if it was stopped; else what the program returned.
run_training() {
  local restarts=$1 train before options run code
  shift
  [[ ${POISE_MAX_RESTARTS:-0} =~ ^[0-9]+$ ]] || die "POISE_MAX_RESTARTS is '$POISE_MAX_RESTARTS': give a number"
  trap 'ask_to_stop USR1' USR1
  trap 'ask_to_stop TERM' TERM
  train=$(program poise-train)
  set_training "$@"
  before=$(mark_of "$run")
  set_launch "$SLURM_NTASKS" "$SLURM_JOB_NUM_NODES"
  log "nodes $SLURM_JOB_NODELIST: ${launch[*]} $train ${options[*]}"
  run_listening "${launch[@]}" "$train" "${options[@]}"
  log "the program ended with code $code${stop_reason:+ after signal $stop_reason}"
  local mark
  mark=$(mark_of "$run")
  if [ -n "$mark" ] && [ "$mark" != "$before" ]; then
    log "done: $run"
    exit 0
  fi
  # 138: USR1 came before the ranks listened, so there was nothing to save.
  if [ "$code" -eq 75 ] || { [ "$code" -eq 138 ] && [ -n "$stop_reason" ]; }; then requeue "$restarts"; fi
  if [ "$code" -eq 0 ]; then
    log "FAILED: the launcher returned 0, but the run has not reached its end: was a node lost?"
    exit 70
  fi
  exit "$code"
}
