# Everything that Poise links. The build uses this file, and so does, installed, find_package(poise). It defines the targets
# MPI::MPI_CXX, PkgConfig::petsc, PkgConfig::slepc, PkgConfig::zlib, poise_hdf5 and poise_blas.
# PETSc, SLEPc and HDF5 must be built with the same MPI. Which MPI is what CMake's module finds: -DMPI_CXX_COMPILER=... chooses one.
find_package(PkgConfig REQUIRED)
set(MPI_CXX_SKIP_MPICXX ON)  # the C API only
find_package(MPI 3.0 REQUIRED COMPONENTS CXX)

# PETSC_DIR with PETSC_ARCH, and SLEPC_DIR, as PETSc's users set them: given with -D, else from the environment.
foreach(variable PETSC_DIR PETSC_ARCH SLEPC_DIR)
  if(NOT DEFINED ${variable} AND DEFINED ENV{${variable}})
    set(${variable} $ENV{${variable}})
  endif()
endforeach()

# poise_find_petsc(TARGET NAME VERSION): the pkg-config module NAME or its lower-case name (a release installs one or both), in
# NAME_DIR if that is given, else where pkg-config looks by itself, which then includes the directory of the package before.
function(poise_find_petsc target name version)
  string(TOLOWER ${name} lower)
  string(TOUPPER ${name} upper)
  set(modules "${name}>=${version}" "${lower}>=${version}")
  if(${upper}_DIR)
    find_path(POISE_${upper}_PKGCONFIG NAMES ${name}.pc ${lower}.pc NO_CACHE NO_DEFAULT_PATH
      PATHS ${${upper}_DIR}/${PETSC_ARCH}/lib/pkgconfig ${${upper}_DIR}/lib/pkgconfig)
    if(NOT POISE_${upper}_PKGCONFIG)
      message(FATAL_ERROR "${upper}_DIR is ${${upper}_DIR}, but there is no ${name} (PETSC_ARCH: '${PETSC_ARCH}'); give the directory "
        "that has lib/pkgconfig/${name}.pc, directly or below PETSC_ARCH")
    endif()
    set(ENV{PKG_CONFIG_PATH} "${POISE_${upper}_PKGCONFIG}:$ENV{PKG_CONFIG_PATH}")
    if(NOT EXISTS ${POISE_${upper}_PKGCONFIG}/${name}.pc)
      set(modules "${lower}>=${version}")  # not the other name, elsewhere
    endif()
  endif()
  pkg_search_module(${target} REQUIRED IMPORTED_TARGET GLOBAL ${modules})
endfunction()
poise_find_petsc(petsc PETSc 3.18)
poise_find_petsc(slepc SLEPc 3.18)

# Parallel HDF5 with its high-level library (dimension scales). HDF5_ROOT asks CMake's module; else pkg-config, where Debian
# names the package after the MPI; else CMake's module.
include(CheckCXXSymbolExists)
set(CMAKE_REQUIRED_LIBRARIES MPI::MPI_CXX)
check_cxx_symbol_exists(OPEN_MPI mpi.h POISE_MPI_IS_OPEN_MPI)
check_cxx_symbol_exists(MPICH_VERSION mpi.h POISE_MPI_IS_MPICH)
set(hdf5_names hdf5-mpi hdf5)
if(POISE_MPI_IS_OPEN_MPI)
  set(hdf5_names hdf5-openmpi hdf5)
elseif(POISE_MPI_IS_MPICH)
  set(hdf5_names hdf5-mpich hdf5)
endif()
add_library(poise_hdf5 INTERFACE IMPORTED GLOBAL)
if(NOT HDF5_ROOT AND NOT DEFINED ENV{HDF5_ROOT})
  pkg_search_module(hdf5 IMPORTED_TARGET GLOBAL ${hdf5_names})
endif()
if(hdf5_FOUND)
  # The pkg-config file leaves the high-level library out; it lies beside the other.
  find_library(POISE_HDF5_HL NAMES hdf5_hl HINTS ${hdf5_LIBRARY_DIRS} NO_DEFAULT_PATH REQUIRED)
  target_link_libraries(poise_hdf5 INTERFACE ${POISE_HDF5_HL} PkgConfig::hdf5)
else()
  set(HDF5_PREFER_PARALLEL ON)
  find_package(HDF5 REQUIRED COMPONENTS C HL)
  target_link_libraries(poise_hdf5 INTERFACE ${HDF5_HL_LIBRARIES} ${HDF5_LIBRARIES})
  target_include_directories(poise_hdf5 SYSTEM INTERFACE ${HDF5_INCLUDE_DIRS})
endif()

add_library(poise_blas INTERFACE IMPORTED GLOBAL)
pkg_check_modules(blas IMPORTED_TARGET GLOBAL blas lapack)
if(blas_FOUND)
  target_link_libraries(poise_blas INTERFACE PkgConfig::blas)
else()
  find_package(LAPACK REQUIRED)
  target_link_libraries(poise_blas INTERFACE LAPACK::LAPACK)
endif()
pkg_check_modules(zlib REQUIRED IMPORTED_TARGET GLOBAL zlib)
# Random123 has no pkg-config file: it is a folder of headers.
find_path(RANDOM123_INCLUDE Random123/philox.h REQUIRED)

# Do they fit each other? Said here, before the first of hundreds of files fails to compile.
include(CheckCXXSourceCompiles)
set(CMAKE_REQUIRED_LIBRARIES PkgConfig::slepc PkgConfig::petsc poise_hdf5 MPI::MPI_CXX poise_blas)
check_cxx_source_compiles("
#include <mpi.h>
#include <slepceps.h>
#include <hdf5.h>
#ifdef PETSC_USE_COMPLEX
#error complex PETSc
#endif
int main(int argc, char** argv) { return SlepcInitialize(&argc, &argv, nullptr, nullptr) + H5Pset_fapl_mpio(0, MPI_COMM_WORLD, MPI_INFO_NULL); }
" POISE_DEPENDENCIES_FIT)
unset(CMAKE_REQUIRED_LIBRARIES)
if(NOT POISE_DEPENDENCIES_FIT)
  unset(POISE_DEPENDENCIES_FIT CACHE)  # tried again by the next configuration
  message(FATAL_ERROR "MPI (${MPI_CXX_COMPILER}), PETSc ${petsc_VERSION} (${petsc_PREFIX}), SLEPc ${slepc_VERSION} and HDF5 do not compile "
    "together. PETSc must have real scalars, HDF5 must be parallel, all must be built with this MPI. Choose by -DMPI_CXX_COMPILER=..., "
    "PETSC_DIR, PETSC_ARCH, SLEPC_DIR, HDF5_ROOT; the compiler's words are in CMakeFiles/CMakeError.log of the build folder.")
endif()
