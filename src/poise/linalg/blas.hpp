#pragma once

#include <mpi.h>

#include <string>

#include "poise/base/process_grid.hpp"

namespace poise {

/// C = alpha op(A) op(B) + beta C, column-major, op in {'N', 'T'}; C is rows x cols, the sum runs over
/// `inner`. Empty products are allowed. Throws bad_input if a size exceeds the 32-bit integers of BLAS.
void gemm(char op_a, char op_b, Index rows, Index cols, Index inner, double alpha, const double* a, Index lda,
          const double* b, Index ldb, double beta, double* c, Index ldc);

/// The same in single precision.
void gemm(char op_a, char op_b, Index rows, Index cols, Index inner, float alpha, const float* a, Index lda,
          const float* b, Index ldb, float beta, float* c, Index ldc);

/// Which BLAS runs and how.
struct BlasInfo {
  std::string file;        ///< that provides dgemm
  bool reference = false;  ///< the slow reference BLAS (10 to 50 times slower than OpenBLAS)
  int threads = 1;         ///< threads each rank uses, where the library tells
};
[[nodiscard]] BlasInfo blas_info();

/// Whether a library file is the reference BLAS as Debian installs it (…/blas/libblas.so.3*); the fast ones
/// carry their name in the folder or in the file.
[[nodiscard]] bool is_reference_blas(const std::string& file);

/// Not collective. Rank 0 prints one warning, with the cure, if the BLAS is the slow reference one, and one
/// if its threads crowd the cores of several ranks.
void warn_about_blas(MPI_Comm comm);

}  // namespace poise
