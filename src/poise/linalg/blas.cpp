#include "poise/linalg/blas.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <petscsys.h>
#include <petscblaslapack.h>
#include <stdlib.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/output.hpp"

// PETSc declares BLAS only for its own precision.
extern "C" void sgemm_(const char*, const char*, const PetscBLASInt*, const PetscBLASInt*,
                       const PetscBLASInt*, const float*, const float*, const PetscBLASInt*, const float*,
                       const PetscBLASInt*, const float*, float*, const PetscBLASInt*);

namespace poise {
inline namespace linalg {
namespace {

PetscBLASInt narrow(Index n) {
  if (n > std::numeric_limits<PetscBLASInt>::max())
    throw failure(fmt::format(
        "a matrix has {} rows or columns on one rank, more than BLAS can index: use more ranks", n));
  return static_cast<PetscBLASInt>(n);
}

/// gemm of BLAS, with checks that the sizes fit its integers; `multiply` is dgemm or sgemm.
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

// The kernels for few columns: tiles of `tile_rows` x `tile_columns` sums stay in registers. They use the
// vector types of GCC and Clang, which run on any processor; their width is the vector width of the processor
// that this file is compiled for.
namespace {

#if defined(__AVX512F__)
constexpr Index lanes = 8;
constexpr Index tile_rows = 4;
#elif defined(__AVX__)
constexpr Index lanes = 4;
constexpr Index tile_rows = 2;  // 16 registers hold half as many sums
#else
constexpr Index lanes = 2;
constexpr Index tile_rows = 2;
#endif
using Vector = double __attribute__((vector_size(lanes * sizeof(double))));

/// The widest block for which the kernels are faster than dgemm (measured for m = 512 to 4096).
constexpr Index thin_columns = 16;
constexpr Index tile_columns = 5;
/// Number of columns of M that are done at a time, so that their part of X stays in the first-level cache for
/// all rows of M.
constexpr Index column_block = 512;
/// Number of rows of M for which the sums of the transposed product stay in registers.
constexpr Index row_block = 64;
/// The cache level that the next rows of M are prefetched to; the first level is full of X. A wide M comes
/// from memory, and the processor's own prefetcher stops at the end of a page, which a row soon reaches.
constexpr int second_level = 2;

Vector load(const double* from) {
  Vector v;
  std::memcpy(&v, from, sizeof v);  // rows need not be aligned
  return v;
}
void store(const Vector& v, double* to) {
  std::memcpy(to, &v, sizeof v);
}
/// Keeps a vector in its register. Without this, GCC reads it from memory again for each use, and a tile,
/// whose speed is limited by loads, runs at 37 instead of 47 GF/s.
void keep([[maybe_unused]] Vector& v) {
#if defined(__AVX512F__)
  asm("" : "+v"(v));
#endif
}
/// Sum of the lanes, by halves so that it stays in registers.
template <class V>
double sum(const V& v) {
  constexpr std::size_t lanes = sizeof(V) / sizeof(double);
  if constexpr (lanes == 8) {
    using Half = double __attribute__((vector_size(4 * sizeof(double))));
    const Half h = __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
    return (h[0] + h[2]) + (h[1] + h[3]);
  } else if constexpr (lanes == 4) {
    return (v[0] + v[2]) + (v[1] + v[3]);
  } else {
    return v[0] + v[1];
  }
}

/// y (R x C) += R rows of M times C columns of X. `packed` holds the C columns side by side in pieces of
/// `lanes` rows, aligned; the last rows, fewer than `lanes`, are only in X.
template <Index R, Index C>
void multiply_tile(Index cols, const double* m, Index stride, const double* packed, const double* x,
                   Index ldx, double* y, Index ldy) {
  Vector sums[R][C] = {};
  Index j = 0;
  for (; j + lanes <= cols; j += lanes) {
    Vector column[C];
    for (Index c = 0; c < C; ++c) {
      column[c] = load(packed + j * C + c * lanes);
      keep(column[c]);
    }
    for (Index r = 0; r < R; ++r) {
      const Vector row = load(m + r * stride + j);
      __builtin_prefetch(m + (r + R) * stride + j, 0, second_level);
      for (Index c = 0; c < C; ++c) sums[r][c] += row * column[c];
    }
  }
  for (Index c = 0; c < C; ++c) {
    for (Index r = 0; r < R; ++r) {
      double total = sum(sums[r][c]);
      for (Index k = j; k < cols; ++k) total += m[r * stride + k] * x[c * ldx + k];
      y[c * ldy + r] += total;
    }
  }
}

template <Index C>
void pack(Index cols, const double* x, Index ldx, double* packed) {
  for (Index j = 0; j + lanes <= cols; j += lanes)
    for (Index c = 0; c < C; ++c) store(load(x + c * ldx + j), packed + j * C + c * lanes);
}

/// y (V * lanes x C) += transposed tile of M (rows x V * lanes) times C columns of X.
template <Index V, Index C>
void transpose_tile(Index rows, const double* m, Index stride, const double* x, Index ldx, double* y,
                    Index ldy) {
  Vector sums[V][C];
  for (Index c = 0; c < C; ++c)
    for (Index v = 0; v < V; ++v) sums[v][c] = load(y + c * ldy + v * lanes);
  for (Index i = 0; i < rows; ++i) {
    Vector row[V];
    for (Index v = 0; v < V; ++v) {
      row[v] = load(m + i * stride + v * lanes);
      __builtin_prefetch(m + (i + row_block) * stride + v * lanes, 0, second_level);
    }
    for (Index c = 0; c < C; ++c)
      for (Index v = 0; v < V; ++v) sums[v][c] += row[v] * x[c * ldx + i];
  }
  for (Index c = 0; c < C; ++c)
    for (Index v = 0; v < V; ++v) store(sums[v][c], y + c * ldy + v * lanes);
}

template <Index C>
void transpose_columns(Index rows, Index cols, const double* m, Index stride, const double* x, Index ldx,
                       double* y, Index ldy) {
  Index j = 0;
  for (; j + tile_rows * lanes <= cols; j += tile_rows * lanes)
    transpose_tile<tile_rows, C>(rows, m + j, stride, x, ldx, y + j, ldy);
  for (; j + lanes <= cols; j += lanes) transpose_tile<1, C>(rows, m + j, stride, x, ldx, y + j, ldy);
  for (; j < cols; ++j)
    for (Index c = 0; c < C; ++c)
      for (Index i = 0; i < rows; ++i) y[c * ldy + j] += m[i * stride + j] * x[c * ldx + i];
}

/// Calls `body` with the number of columns as a constant: `tile_columns` at a time, then the rest.
template <class Body>
void for_column_tiles(Index p, Body body) {
  Index c = 0;
  for (; c + tile_columns <= p; c += tile_columns) body.template operator()<tile_columns>(c);
  static_assert(tile_columns == 5);
  switch (p - c) {
    case 4:
      return body.template operator()<4>(c);
    case 3:
      return body.template operator()<3>(c);
    case 2:
      return body.template operator()<2>(c);
    case 1:
      return body.template operator()<1>(c);
    default:
      return;
  }
}

void clear(Index rows, Index p, double* y, Index ldy) {
  for (Index c = 0; c < p; ++c) std::fill_n(y + c * ldy, rows, 0.0);
}

/// R rows of `weighted_outer_product`.
template <Index R>
void weighted_outer_rows(Index cols, Index p, const double* x, Index ldx, const double* y, Index ldy,
                         const double* shift, const double* s, Index stride_s, double* out,
                         Index stride_out) {
  Index j = 0;
  for (; j + lanes <= cols; j += lanes) {
    Vector sums[R];
    for (Index r = 0; r < R; ++r) sums[r] = -load(shift + j);
    for (Index c = 0; c < p; ++c) {
      const Vector column = load(y + c * ldy + j);
      for (Index r = 0; r < R; ++r) sums[r] += x[c * ldx + r] * column;
    }
    for (Index r = 0; r < R; ++r) store(sums[r] * load(s + r * stride_s + j), out + r * stride_out + j);
  }
  for (; j < cols; ++j) {
    for (Index r = 0; r < R; ++r) {
      double total = -shift[j];
      for (Index c = 0; c < p; ++c) total += x[c * ldx + r] * y[c * ldy + j];
      out[r * stride_out + j] = s[r * stride_s + j] * total;
    }
  }
}

/// Y += M X for at most `thin_columns` columns.
void multiply_thin(Index rows, Index cols, Index p, const double* m, Index stride, const double* x, Index ldx,
                   double* y, Index ldy) {
  alignas(sizeof(Vector)) double packed[column_block * thin_columns];
  for (Index j = 0; j < cols; j += column_block) {
    const Index width = std::min(column_block, cols - j);
    for_column_tiles(
        p, [&]<Index C>(Index c) { pack<C>(width, x + c * ldx + j, ldx, packed + c * column_block); });
    const auto rows_from = [&]<Index R>(Index i) {
      // All columns of X for a few rows of M, which are still in cache for the next tile.
      for_column_tiles(p, [&]<Index C>(Index c) {
        multiply_tile<R, C>(width, m + i * stride + j, stride, packed + c * column_block, x + c * ldx + j,
                            ldx, y + c * ldy + i, ldy);
      });
    };
    Index i = 0;
    for (; i + tile_rows <= rows; i += tile_rows) rows_from.template operator()<tile_rows>(i);
    for (; i < rows; ++i) rows_from.template operator()<1>(i);
  }
}

}  // namespace

void multiply_rows(Index rows, Index cols, Index p, const double* m, Index stride, const double* x, Index ldx,
                   bool add, double* y, Index ldy) {
  if (p > thin_columns) return gemm('T', 'N', rows, p, cols, 1.0, m, stride, x, ldx, add ? 1.0 : 0.0, y, ldy);
  if (!add) clear(rows, p, y, ldy);
  multiply_thin(rows, cols, p, m, stride, x, ldx, y, ldy);
}

void multiply_rows_transpose(Index rows, Index cols, Index p, const double* m, Index stride, const double* x,
                             Index ldx, bool add, double* y, Index ldy) {
  if (p > thin_columns) return gemm('N', 'N', cols, p, rows, 1.0, m, stride, x, ldx, add ? 1.0 : 0.0, y, ldy);
  if (!add) clear(cols, p, y, ldy);
  for (Index j = 0; j < cols; j += column_block) {
    const Index width = std::min(column_block, cols - j);
    for (Index i = 0; i < rows; i += row_block)
      for_column_tiles(p, [&]<Index C>(Index c) {
        transpose_columns<C>(std::min(row_block, rows - i), width, m + i * stride + j, stride,
                             x + c * ldx + i, ldx, y + c * ldy + j, ldy);
      });
  }
}

void weighted_outer_product(Index rows, Index cols, Index p, const double* x, Index ldx, const double* y,
                            Index ldy, const double* shift, const double* s, Index stride_s, double* out,
                            Index stride_out) {
  constexpr Index together = 4;
  for (Index j = 0; j < cols; j += column_block) {
    const Index width = std::min(column_block, cols - j);
    Index i = 0;
    for (; i + together <= rows; i += together)
      weighted_outer_rows<together>(width, p, x + i, ldx, y + j, ldy, shift + j, s + i * stride_s + j,
                                    stride_s, out + i * stride_out + j, stride_out);
    for (; i < rows; ++i)
      weighted_outer_rows<1>(width, p, x + i, ldx, y + j, ldy, shift + j, s + i * stride_s + j, stride_s,
                             out + i * stride_out + j, stride_out);
  }
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
         " is the reference BLAS, 10 to 50 times slower than OpenBLAS: install libopenblas-dev (apt "
         "install libopenblas-dev)");
  if (blas.threads > 1 && size > 1)
    warn(
        fmt::format("BLAS uses {} threads on each of {} ranks; unless there are that many cores, set "
                    "OPENBLAS_NUM_THREADS=1",
                    blas.threads, size));
}

}  // namespace linalg
}  // namespace poise
