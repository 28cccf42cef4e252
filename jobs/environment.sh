# shellcheck shell=bash
# Sourced by the scripts of this project. Sets POISE_ROOT; defines say, die, processors, cores, find_python,
# mpi_environment.
# shellcheck disable=SC2034  # the scripts that source this file use it
POISE_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '\n== %s\n' "$*"; }

# die MESSAGE: bad usage or input (exit code 2).
die() {
  printf '%s: error: %s\n' "$(basename "$0")" "$*" >&2
  exit 2
}

# Number of processors that this process may use; nproc alone would obey OMP_NUM_THREADS.
processors() { env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc 2>/dev/null || echo 1; }

# Number of physical cores that this process may use. Open MPI counts them as slots.
cores() {
  local usable physical
  usable=$(processors)
  physical=$(lscpu -p=core,socket 2>/dev/null | grep -v '^#' | sort -u | wc -l || true)
  if [ "${physical:-0}" -gt 0 ] && [ "$physical" -lt "$usable" ]; then usable=$physical; fi
  echo "$usable"
}

# Prints the first Python that has the modules for the figures; fails if there is none. The first python3 in PATH (pyenv,
# conda) may lack h5py although /usr/bin/python3 has it. POISE_PYTHON=... chooses one.
find_python() {
  local candidate
  for candidate in "${POISE_PYTHON:-python3}" python3 /usr/bin/python3; do
    if "$candidate" -c 'import h5py, matplotlib, numpy' >/dev/null 2>&1; then
      command -v "$candidate"
      return 0
    fi
  done
  return 1
}

# mpi_environment RANKS: sets the environment that mpirun needs to start RANKS ranks on this machine.
mpi_environment() {
  if [ "$(id -u)" -eq 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  fi
  # One thread per rank, because every core has a rank already.
  export OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-1}" OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
  if [ "$1" -le "$(cores)" ]; then return; fi
  if [ "$1" -le "$(processors)" ]; then
    # Open MPI 4, Open MPI 5; MPICH counts nothing.
    export OMPI_MCA_hwloc_base_use_hwthreads_as_cpus=1 PRTE_MCA_rmaps_default_mapping_policy=:hwtcpus
    printf 'note: %s ranks on %s hardware threads of %s cores\n' "$1" "$(processors)" "$(cores)"
  else
    export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
    export PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe PRTE_MCA_hwloc_default_binding_policy=none
    printf 'note: more ranks (%s) than processors (%s): they take turns\n' "$1" "$(processors)"
  fi
}
