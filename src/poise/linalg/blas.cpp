#include "poise/linalg/blas.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <petscsys.h>
#include <petscblaslapack.h>
#include <stdlib.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/output.hpp"

// PETSc declares the BLAS of its own precision only.
extern "C" void sgemm_(const char*, const char*, const PetscBLASInt*, const PetscBLASInt*,
                       const PetscBLASInt*, const float*, const float*, const PetscBLASInt*, const float*,
                       const PetscBLASInt*, const float*, float*, const PetscBLASInt*);

namespace poise {
namespace {

PetscBLASInt narrow(Index n) {
  if (n > std::numeric_limits<PetscBLASInt>::max())
    throw failure("a matrix has " + std::to_string(n) +
                  " rows or columns on one rank, more than BLAS can index: use more ranks");
  return static_cast<PetscBLASInt>(n);
}

/// BLAS's gemm with the checks of its integers; `multiply` is dgemm or sgemm.
template <class Real, class Multiply>
void checked_gemm(Multiply multiply, char op_a, char op_b, Index rows, Index cols, Index inner, Real alpha,
                  const Real* a, Index lda, const Real* b, Index ldb, Real beta, Real* c, Index ldc) {
  if (rows == 0 || cols == 0) return;
  const PetscBLASInt m = narrow(rows);
  const PetscBLASInt n = narrow(cols);
  const PetscBLASInt k = narrow(inner);
  const PetscBLASInt stride_a = std::max<PetscBLASInt>(1, narrow(lda));
  const PetscBLASInt stride_b = std::max<PetscBLASInt>(1, narrow(ldb));
  const PetscBLASInt stride_c = narrow(ldc);
  multiply(&op_a, &op_b, &m, &n, &k, &alpha, a, &stride_a, b, &stride_b, &beta, c, &stride_c);
}

}  // namespace

void gemm(char op_a, char op_b, Index rows, Index cols, Index inner, double alpha, const double* a, Index lda,
          const double* b, Index ldb, double beta, double* c, Index ldc) {
  checked_gemm(BLASgemm_, op_a, op_b, rows, cols, inner, alpha, a, lda, b, ldb, beta, c, ldc);
}

void gemm(char op_a, char op_b, Index rows, Index cols, Index inner, float alpha, const float* a, Index lda,
          const float* b, Index ldb, float beta, float* c, Index ldc) {
  checked_gemm(sgemm_, op_a, op_b, rows, cols, inner, alpha, a, lda, b, ldb, beta, c, ldc);
}

BlasInfo blas_info() {
  BlasInfo info;
  Dl_info where{};
  if (dladdr(reinterpret_cast<void*>(&BLASgemm_), &where) != 0 && where.dli_fname != nullptr) {
    const std::unique_ptr<char, decltype(&free)> path(realpath(where.dli_fname, nullptr), &free);
    info.file = path ? path.get() : where.dli_fname;
  }
  if (auto* threads = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "openblas_get_num_threads")))
    info.threads = threads();
  info.reference = is_reference_blas(info.file);
  return info;
}

bool is_reference_blas(const std::string& file) {
  return file.find("/blas/libblas") != std::string::npos;
}

void warn_about_blas(MPI_Comm comm) {
  int rank = 0;
  int size = 1;
  check_mpi(MPI_Comm_rank(comm, &rank));
  check_mpi(MPI_Comm_size(comm, &size));
  if (rank != 0) return;
  const BlasInfo blas = blas_info();
  if (blas.reference)
    warn(blas.file +
         " is the reference BLAS, 10 to 50 times slower than it need be: install libopenblas-dev (apt "
         "install libopenblas-dev)");
  if (blas.threads > 1 && size > 1)
    warn(
        fmt::format("BLAS uses {} threads on each of {} ranks; unless there are that many cores, set "
                    "OPENBLAS_NUM_THREADS=1",
                    blas.threads, size));
}

}  // namespace poise
