# Everything Poise links, found by pkg-config. Used by the build and, installed, by find_package(poise).
find_package(PkgConfig REQUIRED)
# Debian names the MPI module after the implementation; PETSc, SLEPc and HDF5 must be built with the same one.
pkg_check_modules(mpi REQUIRED IMPORTED_TARGET ompi)
pkg_check_modules(petsc REQUIRED IMPORTED_TARGET PETSc>=3.18)
pkg_check_modules(slepc REQUIRED IMPORTED_TARGET SLEPc>=3.18)
pkg_check_modules(hdf5 REQUIRED IMPORTED_TARGET hdf5-openmpi)
# HDF5's pkg-config file leaves out its high-level library (dimension scales), which lies beside it.
find_library(HDF5_HL NAMES hdf5_hl HINTS ${hdf5_LIBRARY_DIRS} NO_DEFAULT_PATH REQUIRED)
pkg_check_modules(zlib REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(blas REQUIRED IMPORTED_TARGET blas lapack)
# Random123 has no pkg-config file: it is a folder of headers.
find_path(RANDOM123_INCLUDE Random123/philox.h REQUIRED)
