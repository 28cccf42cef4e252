# shellcheck shell=bash
# Sourced by the SLURM jobs (*.sbatch). Defines log, require_job, program, set_launch, run_training and their helpers.
# Environment variables: POISE_LAUNCH (mpirun or srun), POISE_BIN (folder of the programs),
# POISE_MAX_RESTARTS, POISE_RETRY_SECONDS (between attempts to reach a controller that does not answer).
# shellcheck source=jobs/environment.sh
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

# The name of this job for SLURM. The job number of a task is not enough: the last task of an array has the number of the
# array, so all tasks would be requeued with it.
job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID:-}}
job=${job:-${SLURM_JOB_ID:-}}

# If the disk of the log is full, the script must still go on and save the run.
log() { printf '%s job %s start %s: %s\n' "$(date -u +%FT%TZ)" "$job" "${SLURM_RESTART_COUNT:-0}" "$*" || true; }

# Ends if this is not a SLURM job; sets the environment of the ranks.
require_job() {
  [ -n "${SLURM_JOB_ID:-}" ] || die "this is a job of SLURM: submit it with sbatch (--help says how)"
  if [ "$(id -u)" -eq 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
  # One thread per core of a rank. Without HDF5's locks, other programs can read the file of a run that is going on.
  export OPENBLAS_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1} OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}
  export HDF5_USE_FILE_LOCKING=FALSE
  export SLURM_EXPORT_ENV=ALL  # the ranks get the environment even if the job was submitted with --export=NONE
  announce_end
}

# Newer SLURM sets SLURM_JOB_END_TIME, the deadline of poise-train; with older SLURM, squeue tells it.
announce_end() {
  local end
  [ -z "${SLURM_JOB_END_TIME:-}" ] || return 0
  end=$(SLURM_TIME_FORMAT=standard squeue -h -j "$job" -o %e 2>/dev/null) || return 0
  end=${end%%$'\n'*}  # the first line
  [ -n "$end" ] || return 0
  end=$(date -d "$end" +%s 2>/dev/null) || return 0  # no limit: N/A
  export SLURM_JOB_END_TIME=$end
}

# program NAME: its path, in POISE_BIN, else in the build, else in the installed tree, which has this file in
# share/poise/jobs.
program() {
  local folder=$POISE_ROOT/build/apps path
  [ -d "$folder" ] || folder=$POISE_ROOT/../../bin
  path=${POISE_BIN:-$folder}/$1
  [ -x "$path" ] || die "there is no $path: build Poise first, or set POISE_BIN to the folder of the programs"
  echo "$path"
}

# script NAME: the path of a Python script.
script() {
  local path=$POISE_ROOT/apps/$1
  [ -e "$path" ] || path=$POISE_ROOT/../../bin/$1
  echo "$path"
}

# Whether mpirun belongs to MPICH.
has_mpich() { [[ $(mpirun --version 2>/dev/null) == *HYDRA* ]]; }

# set_launch RANKS NODES: sets the array `launch`, the command that starts a program on RANKS ranks, spread evenly over
# the first NODES nodes of the job.
set_launch() {
  local ranks=$1 nodes=$2 threads=${SLURM_CPUS_PER_TASK:-1} mpich=false
  if has_mpich; then mpich=true; fi
  [ $((ranks % nodes)) -eq 0 ] || nodes=0  # not even: the launcher chooses the nodes
  case ${POISE_LAUNCH:-mpirun} in
    mpirun)
      launch=(mpirun -n "$ranks")
      if [ "$nodes" -eq 0 ]; then
        :
      elif [ "$mpich" = true ]; then
        launch+=(-ppn $((ranks / nodes)))  # MPICH binds no rank to a core unless it is told to
      else
        launch+=(--map-by "ppr:$((ranks / nodes)):node:PE=$threads")
      fi
      ;;
    srun)
      local pmi=pmix
      if [ "$mpich" = true ]; then pmi=pmi2; fi
      # --wait: when one rank has ended, the others have 60 s, so that each rank returns its own exit code.
      launch=(srun --mpi="${SLURM_MPI_TYPE:-$pmi}" --ntasks="$ranks" --cpus-per-task="$threads" --wait=60)
      if [ "$nodes" -gt 0 ]; then launch+=(--nodes="$nodes" --ntasks-per-node=$((ranks / nodes))); fi
      ;;
    *) die "POISE_LAUNCH is '$POISE_LAUNCH': give mpirun or srun" ;;
  esac
}

# ---- A training that stops, is requeued and goes on -------------------------------------------------------------

child=
reminder=
stop_reason=${stop_reason:-}  # the head of the job may have caught a signal already

# USR1 comes from SLURM (--signal) or from preemption, TERM from scancel and from the time limit.
ask_to_stop() {
  stop_reason=$1
  [ -z "$child" ] || forward_usr1
  log "signal $1: the program is to write a checkpoint and stop"
}

# USR1 kills a launcher that has no handler yet, so this waits until the launcher catches USR1 (as mpirun does) or blocks
# it (as srun does). A signal before the ranks have started may be lost, so it is repeated.
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

# wait_for_child: sets `code`. A trap interrupts wait, which then returns more than 128 although the child goes on. Once
# the child has ended, another wait returns the code of the child, which may also be more than 128.
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
  trap '' USR1 TERM  # requeueing sends signals to this shell, which must finish
}

# A text that differs between two files DONE; empty if there is none.
mark_of() { stat -c '%i %Z' "$1/DONE" 2>/dev/null || true; }

# Whether the run can be resumed: it has checkpoints, or it is an ensemble, whose runs have their own checkpoints.
can_resume() {
  local file
  for file in "$1"/checkpoints/step-*.h5 "$1/ensemble.txt"; do
    [ ! -e "$file" ] || return 0
  done
  return 1
}

# This script sees only its arguments, and it needs the run directory to know whether the run can be resumed. So -run and
# -resume must not be in an options file or in PETSC_OPTIONS.
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

# set_training DEFAULT_RUN OPTIONS…: sets `run`, the run directory, and `options`, the options of poise-train.
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
    # Without DONE the run is unfinished. With DONE, poise-train refuses to overwrite the run.
    if [ "$restarted" = 1 ] || [ ! -e "$run/DONE" ]; then options+=(-resume); fi
  elif [ "$restarted" = 1 ]; then
    log "WARNING: there is no checkpoint in $run: the run begins anew. Is it on a disk that all nodes share?"
  fi
}

# requeue MOST: requeues the job after the program has stopped with a checkpoint, at most MOST times. Ends the job.
requeue() {
  local most=${POISE_MAX_RESTARTS:-$1} state tries
  for ((tries = 0; tries < 8; tries++)); do
    [ "$tries" -eq 0 ] || sleep "${POISE_RETRY_SECONDS:-15}"  # a busy or restarting controller does not answer
    state=$(scontrol show job --oneliner "$job") || state=
    [ -n "$state" ] || continue
    # If the job is not RUNNING, it was cancelled, or it has reached its limit, or SLURM requeues it by itself (after
    # preemption or the loss of a node). SLURM does not say which while the job ends.
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

# run_training MAX_RESTARTS DEFAULT_RUN OPTIONS…: runs poise-train until the run is done, over as many restarts as
# necessary. Ends the job with code 0 if the run is done, which only a new file DONE proves (mpirun also returns 0 when a
# node is lost), with code 75 if the run was stopped, and otherwise with the code of the program.
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
  # After a signal, three other codes stand for a stop. 138, and 10 with MPICH's mpirun: USR1 came before the ranks had a
  # handler, so there was nothing to save. 0: MPICH's mpirun returns it in 1 of 8 runs that it hands a signal to.
  if [ "$code" -eq 75 ] || { [ -n "$stop_reason" ] && [[ $code =~ ^(138|10|0)$ ]]; }; then requeue "$restarts"; fi
  if [ "$code" -eq 0 ]; then
    log "FAILED: the launcher returned 0, but the run has not reached its end: was a node lost?"
    exit 70
  fi
  exit "$code"
}
