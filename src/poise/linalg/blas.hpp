#pragma once

#include <mpi.h>

#include <new>
#include <string>
#include <vector>

#include "poise/base/process_grid.hpp"

namespace poise {
inline namespace linalg {

/// C = alpha op(A) op(B) + beta C, column-major, op in {'N', 'T'}; C is rows x cols, and `inner` is the
/// length of the sums. Empty products are allowed. Throws failure if a size exceeds the 32-bit integers of
/// BLAS.
void gemm(char op_a, char op_b, Index rows, Index cols, Index inner, double alpha, const double* a, Index lda,
          const double* b, Index ldb, double beta, double* c, Index ldc);

/// The same product in single precision.
void gemm(char op_a, char op_b, Index rows, Index cols, Index inner, float alpha, const float* a, Index lda,
          const float* b, Index ldb, float beta, float* c, Index ldc);

// Products of a row-major matrix M with a block of columns. dgemm copies M into its own format in every call,
// which costs more than it saves for few columns (the q outputs). For few columns these functions use kernels
// that read M once and in place; the kernels are fastest if the rows of M start at multiples of 64 bytes.
// Wide blocks go to dgemm. M: rows x cols, entry (i, j) at m[i * stride + j]. X and Y: column-major with
// strides ldx and ldy. Empty products are allowed; arrays must not overlap. Not collective.

/// Y (rows x p) = M X, or Y += M X if `add`.
void multiply_rows(Index rows, Index cols, Index p, const double* m, Index stride, const double* x, Index ldx,
                   bool add, double* y, Index ldy);

/// Y (cols x p) = Mᵀ X, or Y += Mᵀ X if `add`.
void multiply_rows_transpose(Index rows, Index cols, Index p, const double* m, Index stride, const double* x,
                             Index ldx, bool add, double* y, Index ldy);

/// out_ij = s_ij (Σ_c x_ic y_jc − shift_j), where s and out are rows x cols, row-major, X is rows x p and Y
/// is cols x p. The product X Yᵀ itself is never stored.
void weighted_outer_product(Index rows, Index cols, Index p, const double* x, Index ldx, const double* y,
                            Index ldy, const double* shift, const double* s, Index stride_s, double* out,
                            Index stride_out);

/// Allocates memory at multiples of 64 bytes: the size of a cache line and of the widest vector register.
template <class T>
struct CacheLineAllocator {
  using value_type = T;
  static constexpr std::align_val_t alignment{64};
  CacheLineAllocator() = default;
  template <class Other>
  CacheLineAllocator(const CacheLineAllocator<Other>&) {}
  T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), alignment)); }
  void deallocate(T* memory, std::size_t) { ::operator delete(memory, alignment); }
  bool operator==(const CacheLineAllocator&) const { return true; }
};

using AlignedDoubles = std::vector<double, CacheLineAllocator<double>>;

/// Which BLAS runs and how.
struct BlasInfo {
  std::string file;        ///< the library file that provides dgemm
  bool reference = false;  ///< the slow reference BLAS (10 to 50 times slower than OpenBLAS)
  int threads = 1;         ///< threads per rank, if the library tells; else 1
};
[[nodiscard]] BlasInfo blas_info();

/// Whether a library file is the reference BLAS as Debian installs it (…/blas/libblas.so.3*). Fast libraries
/// have their own name in the folder or in the file.
[[nodiscard]] bool is_reference_blas(const std::string& file);

/// Not collective. Rank 0 warns, with the cure, if the BLAS is the slow reference BLAS, and if several ranks
/// use several BLAS threads each, which may be more threads than cores.
void warn_about_blas(MPI_Comm comm);

}  // namespace linalg
}  // namespace poise
