#!/usr/bin/env bash
# Installs the missing packages that Poise needs (Debian and Ubuntu, by apt). If no package is missing, it does nothing
# and needs no network. Without apt it names the missing packages and exits with 2.
set -euo pipefail
# shellcheck source=jobs/environment.sh
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
PATH=$PATH:/usr/sbin  # has the daemons of SLURM

usage() {
  cat <<'TEXT'
usage: jobs/install_dependencies.sh [--check | --help]
  --check   install nothing; name the missing packages; exit code 2 if Poise needs one of them
TEXT
}

# imports MODULES: for the optional ones, which apt installs for /usr/bin/python3 alone.
imports() { "$python" -c "import $1" || /usr/bin/python3 -c "import $1"; }

# have PACKAGE: whether the content of the Debian package is usable, wherever it was installed from.
have() {
  case $1 in
    g++) command -v c++ ;;
    cmake | ccache | git) command -v "$1" ;;
    ninja-build) command -v ninja ;;
    pkg-config) command -v pkg-config ;;
    libopenmpi-dev) pkg-config --exists ompi ;;
    openmpi-bin) command -v mpirun ;;
    petsc-dev) pkg-config --exists 'PETSc >= 3.18' ;;
    slepc-dev) pkg-config --exists 'SLEPc >= 3.18' ;;
    libhdf5-openmpi-dev) pkg-config --exists hdf5-openmpi ;;
    zlib1g-dev) pkg-config --exists zlib ;;
    libfmt-dev) pkg-config --exists 'fmt >= 9' ;;
    nlohmann-json3-dev) pkg-config --exists 'nlohmann_json >= 3.11' ;;
    libgtest-dev) pkg-config --exists gtest ;;
    libopenblas-dev) pkg-config --exists blas lapack && ! blas_is_reference ;;
    librandom123-dev) echo '#include <Random123/philox.h>' | c++ -x c++ -fsyntax-only - ;;
    clang) command -v clang++ ;;
    libclang-rt-dev) echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, long) { return 0; }' |
      clang++ -fsanitize=fuzzer,address -x c++ - -o /dev/null ;;
    slurm-wlm) command -v slurmctld && command -v slurmd && command -v sbatch && command -v srun ;;
    munge) command -v munged ;;
    valgrind | doxygen) command -v "$1" ;;
    python3-h5py) "$python" -c 'import h5py' ;;
    python3-matplotlib) "$python" -c 'import matplotlib' ;;
    python3-numpy) "$python" -c 'import numpy' ;;
    python3-venv) imports 'venv, ensurepip' ;;
    python3-pip) imports 'setuptools, wheel' ;;
    python3-torch) imports torch ;;
    python3-xarray) imports 'xarray, pandas' ;;
    python3-nbclient) imports 'nbclient, nbformat' ;;
    python3-ipykernel) imports ipykernel ;;
    *) return 1 ;;
  esac >/dev/null 2>&1
}

# The reference BLAS is 10 to 50 times slower than OpenBLAS; Debian chooses by alternatives.
blas_link() { echo "libblas.so.3-$(c++ -dumpmachine)"; }
# No pipe: grep -q ends early, and with pipefail the signal that ends the writer would count as "not found".
blas_alternative_has() { grep -q "$1" <<<"$(update-alternatives --query "$(blas_link)" 2>/dev/null)"; }
blas_is_reference() { blas_alternative_has '^Value: .*/blas/libblas\.so\.3$'; }
blas_was_chosen_by_hand() { blas_alternative_has '^Status: manual$'; }

# Package | purpose.
packages=(
  "g++|C++20 compiler"
  "cmake|CMake, 3.25 or newer"
  "ninja-build|build tool"
  "pkg-config|finds the libraries"
  "ccache|fast rebuilds (optional)"
  "git|version in the run files (optional)"
  "libopenmpi-dev|MPI library"
  "openmpi-bin|mpirun"
  "petsc-dev|PETSc 3.18 or newer: vectors and solvers (real scalars)"
  "slepc-dev|SLEPc 3.18 or newer: eigenvalues (real scalars)"
  "libhdf5-openmpi-dev|parallel HDF5: data, run files, checkpoints"
  "libopenblas-dev|fast BLAS and LAPACK"
  "librandom123-dev|Random123 headers: counter-based random numbers"
  "zlib1g-dev|reads compressed data"
  "libfmt-dev|fmt 9 or newer: texts with numbers"
  "nlohmann-json3-dev|JSON for Modern C++ 3.11 or newer: reports for machines"
  "libgtest-dev|GoogleTest, for the tests"
  "slurm-wlm|SLURM, for the tests of the cluster jobs (optional)"
  "munge|authentication of SLURM, for the same tests (optional)"
  "clang|Clang, for the fuzz tests (optional)"
  "libclang-rt-dev|libFuzzer and the sanitizers of Clang, for the same tests (optional)"
  "valgrind|memory errors, for tests/valgrind.sh (optional)"
  "doxygen|HTML of the public headers (optional)"
  "python3-numpy|Python NumPy, for the figures"
  "python3-h5py|Python h5py, for the figures"
  "python3-matplotlib|Python Matplotlib, for the figures"
  "python3-venv|virtual environments, for the tests of the Python package (optional)"
  "python3-pip|pip with setuptools and wheel, for the tests of the Python package (optional)"
  "python3-torch|PyTorch, for the tests of the Python package (optional)"
  "python3-xarray|xarray and pandas, for the tests of the Python package (optional)"
  "python3-nbclient|runs notebooks, for the tests of the Python package (optional)"
  "python3-ipykernel|the kernel of notebooks, for the tests of the Python package (optional)"
)

find_missing() {
  missing=()
  local entry
  # Any Python with all three modules is enough; otherwise apt installs them for /usr/bin/python3.
  python=$(find_python) || python=/usr/bin/python3
  for entry in "${packages[@]}"; do
    have "${entry%%|*}" || missing+=("$entry")
  done
}

# The build does without these.
is_optional() {
  case $1 in
    ccache | git | slurm-wlm | munge | clang | libclang-rt-dev | valgrind | doxygen) ;;
    python3-venv | python3-pip | python3-torch | python3-xarray | python3-nbclient | python3-ipykernel) ;;
    *) return 1 ;;
  esac
}

only_optional_missing() {
  local entry
  for entry in "${missing[@]}"; do is_optional "${entry%%|*}" || return 1; done
}

list_missing() {
  local entry
  for entry in "${missing[@]}"; do printf '  %-20s %s\n' "${entry%%|*}" "${entry#*|}"; done
}

warn_of_slow_blas() {
  if blas_is_reference; then
    echo "warning: the system's BLAS is the slow reference one; choose OpenBLAS with" >&2
    echo "  update-alternatives --config $(blas_link)" >&2
  fi
}

install_missing() {
  local entry needed=() optional=() names=() as_root=()
  for entry in "${missing[@]}"; do
    if is_optional "${entry%%|*}"; then optional+=("${entry%%|*}"); else needed+=("${entry%%|*}"); fi
  done
  names=("${needed[@]}" "${optional[@]}")
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      [ ${#needed[@]} -gt 0 ] || return 0
      die "not root and no sudo; have the administrator run: apt-get install ${names[*]}"
    fi
    as_root=(sudo)
  fi
  say "Installing with apt: ${names[*]}"
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120)
  if ! "${apt[@]}" update; then
    [ ${#needed[@]} -eq 0 ] || die "apt-get update failed: is there a network?"
  fi
  if [ ${#needed[@]} -gt 0 ]; then
    "${apt[@]}" install -y --no-install-recommends "${needed[@]}" || die "apt-get install failed: see above"
  fi
  # Optional packages one by one: a release of the distribution may lack one of them.
  for entry in "${optional[@]}"; do
    "${apt[@]}" install -y --no-install-recommends "$entry" || echo "warning: apt could not install $entry" >&2
  done
}

check_only=false
case ${1:-} in
  '') ;;
  --check) check_only=true ;;
  -h | --help) usage && exit 0 ;;
  *) usage >&2 && die "unknown argument '$1'" ;;
esac

find_missing
if [ ${#missing[@]} -eq 0 ]; then
  echo "Everything that Poise needs is installed."
  exit 0
fi
if [ "$check_only" = false ] && command -v apt-get >/dev/null; then
  if blas_is_reference && blas_was_chosen_by_hand && [ "${missing[*]%%|*}" = libopenblas-dev ]; then
    warn_of_slow_blas  # the administrator chose this BLAS: it works, so leave it
    exit 0
  fi
  install_missing
  find_missing
  warn_of_slow_blas
  if [ ${#missing[@]} -eq 0 ] || [ "${missing[*]%%|*}" = libopenblas-dev ]; then
    say "Everything that Poise needs is installed."
    exit 0
  fi
  if only_optional_missing; then
    echo "Not installed:" >&2
  else
    echo "apt installed the packages, but these are still not usable (too old, or not found):" >&2
  fi
else
  echo "Missing (Debian package, purpose):" >&2
fi
list_missing >&2
if only_optional_missing; then
  echo "Poise builds without them." >&2
  exit 0
fi
if ! command -v pkg-config >/dev/null; then
  echo "Without pkg-config this script cannot find libraries: it lists them, although they may be installed." >&2
fi
exit 2
