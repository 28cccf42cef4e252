#!/usr/bin/env bash
# Builds Poise against several stacks of MPI, PETSc and HDF5 and runs the tests on each.
set -euo pipefail
# shellcheck source=jobs/environment.sh
. "$(dirname "${BASH_SOURCE[0]}")/../jobs/environment.sh"
# shellcheck source=tests/suite.sh
. "$POISE_ROOT/tests/suite.sh"

PETSC_VERSION=${PETSC_VERSION:-3.26.1}  # of PETSc and of SLEPc
cache=${POISE_MATRIX_CACHE:-$HOME/.cache/poise/matrix}

usage() {
  cat <<TEXT
usage: tests/matrix.sh [--no-install] [--only-libraries] [STACK ...] [-- arguments of ctest]
stacks, all of them if none is named:
  debian    Open MPI, PETSc and HDF5 of the distribution: tests/run.sh
  openmpi   Open MPI and HDF5 of the distribution, PETSc and SLEPc $PETSC_VERSION with ScaLAPACK
  mpich     MPICH and its HDF5 of the distribution, PETSc and SLEPc $PETSC_VERSION without ScaLAPACK
PETSc and SLEPc are built once from the source packages of PyPI into $cache (POISE_MATRIX_CACHE chooses another folder);
--only-libraries ends after this. Poise is built into build-STACK, with warnings as errors.
The last lines name every stack with the tests that passed, failed and were skipped; the exit code is 0 only if none failed.
TEXT
}

# packages STACK: Debian packages beside the packages of jobs/install_dependencies.sh.
packages() {
  case $1 in
    debian) ;;
    openmpi) echo gfortran make python3-pip libscalapack-openmpi-dev ;;
    mpich) echo gfortran make python3-pip mpich libmpich-dev libhdf5-mpich-dev ;;
    *) usage >&2 && die "unknown stack '$1'" ;;
  esac
}

install_packages() {
  local names=()
  read -r -a names <<<"$(packages "$1")"
  if [ ${#names[@]} -eq 0 ] || dpkg -s "${names[@]}" >/dev/null 2>&1; then return; fi
  say "Installing with apt: ${names[*]}"
  DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${names[@]}"
}

# use_stack STACK: sets the environment in which the stack's MPI, PETSc and SLEPc are found.
use_stack() {
  stack_folder=$cache/$1-$PETSC_VERSION
  if [ "$1" = debian ]; then return; fi
  mkdir -p "$stack_folder/bin"
  if [ "$1" = mpich ]; then
    local name
    for name in mpicc mpicxx mpif90 mpiexec mpirun; do ln -sf "$(command -v "$name.mpich")" "$stack_folder/bin/$name"; done
    ln -sf "$(command -v hydra_pmi_proxy)" "$stack_folder/bin/"  # mpiexec looks for it beside itself
  fi
  export PATH="$stack_folder/bin:$PATH" PETSC_DIR="$stack_folder/petsc" SLEPC_DIR="$stack_folder/slepc"
  unset PETSC_ARCH
}

# source_of PACKAGE: unpacks the source package of PyPI into the stack's folder and prints where.
source_of() {
  local name=$1-$PETSC_VERSION
  if [ ! -f "$cache/$name.tar.gz" ]; then
    python3 -m pip download -q --no-deps --no-binary :all: --dest "$cache" "$1==$PETSC_VERSION" >&2
  fi
  rm -rf "${stack_folder:?}/$name"
  tar -xzf "$cache/$name.tar.gz" -C "$stack_folder"
  echo "$stack_folder/$name"
}

build_petsc() {
  if [ -f "$PETSC_DIR/lib/petsc/conf/petscvariables" ]; then return; fi
  say "Building PETSc $PETSC_VERSION for $1"
  local options=(--with-cc=mpicc --with-cxx=mpicxx --with-fc=mpif90 --with-fortran-bindings=0 --with-debugging=0 COPTFLAGS=-O2
    CXXOPTFLAGS=-O2 FOPTFLAGS=-O2 --with-x=0 --with-cudac=0 "--with-blaslapack-lib=-llapack -lblas" "--prefix=$PETSC_DIR")
  [ "$1" = mpich ] || options+=("--with-scalapack-lib=-lscalapack-$1")
  local source
  source=$(source_of petsc)
  (cd "$source" && unset PETSC_DIR && python3 ./configure PETSC_ARCH=build "${options[@]}" &&
    make PETSC_DIR="$source" PETSC_ARCH=build MAKE_NP="$(processors)" all && make PETSC_DIR="$source" PETSC_ARCH=build install)
  rm -rf "$source"
}

build_slepc() {
  if [ -f "$SLEPC_DIR/lib/slepc/conf/slepcvariables" ]; then return; fi
  say "Building SLEPc $PETSC_VERSION for $1"
  local source
  source=$(source_of slepc)
  (cd "$source" && export SLEPC_DIR="$source" && python3 ./configure "--prefix=$stack_folder/slepc" &&
    make MAKE_NP="$(processors)" all && make install)
  rm -rf "$source"
}

# test_stack STACK [arguments of ctest]
test_stack() {
  local folder=$POISE_ROOT/build-$1
  [ "$1" = debian ] && folder=$POISE_ROOT/build
  say "Building Poise for $1 (warnings are errors)"
  local test_slots patience=1
  # Ranks of MPICH that wait keep their processor busy, so that other work on the machine makes them slow.
  [ "$1" != mpich ] || { test_slots=$(processors) && patience=4; }
  (cd "$POISE_ROOT" && cmake --preset release -B "$folder" -DPOISE_WERROR=ON -DPOISE_TESTS=ON "-DPOISE_TEST_PATIENCE=$patience")
  cmake --build "$folder" --parallel "$(processors)"
  run_suite "$folder" "${@:2}"
}

only_libraries=false
install=true
stacks=()
while [ $# -gt 0 ]; do
  case $1 in
    --no-install) install=false ;;
    --only-libraries) only_libraries=true ;;
    -h | --help) usage && exit 0 ;;
    --) shift && break ;;
    *) packages "$1" >/dev/null && stacks+=("$1") ;;
  esac
  shift
done
[ ${#stacks[@]} -gt 0 ] || stacks=(debian openmpi mpich)

mkdir -p "$cache"
[ "$install" = false ] || "$POISE_ROOT/jobs/install_dependencies.sh"
# run_stack STACK [arguments of ctest]: in a shell of its own, as it changes the environment.
run_stack() (
  set -e
  use_stack "$1"
  if [ "$1" != debian ]; then
    build_petsc "$1"
    build_slepc "$1"
  fi
  [ "$only_libraries" = true ] || test_stack "$@"
)

results=()
code=0
for stack in "${stacks[@]}"; do
  [ "$install" = false ] || install_packages "$stack"
  log=$cache/$stack.log
  set +e  # the other stacks run all the same
  run_stack "$stack" "$@" 2>&1 | tee "$log"
  [ "${PIPESTATUS[0]}" -eq 0 ] || code=1
  set -e
  results+=("$stack: $(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1 | grep . || echo 'no test ran')")
done
printf '\n'
printf '%s\n' "${results[@]}"
exit "$code"
