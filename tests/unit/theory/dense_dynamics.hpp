#pragma once

// Dense copies of the matrices of THEORY.md 4, with plain loops, on every rank.
#include <cmath>
#include <vector>

#include "poise/linalg/row_block_matrix.hpp"
#include "unit/theory/dense.hpp"

namespace poise::testing {

/// σ(A) for A = scale N(0,1): the larger the scale, the nearer every column is to one-hot.
inline Dense softmax_weights(Index m, double scale, std::uint64_t seed) {
  const CounterRandom random(seed, Stream::weights_a);
  Dense s(m, m);
  for (Index j = 0; j < m; ++j) {
    double top = -1e300;
    for (Index i = 0; i < m; ++i) {
      s(i, j) = scale * random.normal(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(j));
      top = std::max(top, s(i, j));
    }
    double sum = 0.0;
    for (Index i = 0; i < m; ++i) sum += s(i, j) = std::exp(s(i, j) - top);
    for (Index i = 0; i < m; ++i) s(i, j) /= sum;
  }
  return s;
}

inline Dense shifted(const Dense& s, double gamma) {
  Dense u(s.rows, s.rows);
  for (Index j = 0; j < s.rows; ++j)
    for (Index i = 0; i < s.rows; ++i) u(i, j) = (i == j ? 1.0 : 0.0) - gamma * s(i, j);
  return u;
}

/// M_k = I + γ² W J_k² Wᵀ by its definition; `w` is Wᵀ, m x q.
inline Dense output_matrix(const Dense& s, const Dense& w, double gamma, Index k) {
  const Index m = s.rows;
  const Index q = w.cols;
  Dense wj(q, m);
  for (Index a = 0; a < q; ++a)
    for (Index i = 0; i < m; ++i)
      for (Index l = 0; l < m; ++l) wj(a, i) += w(l, a) * ((l == i ? s(l, k) : 0.0) - s(l, k) * s(i, k));
  Dense result(q, q);
  for (Index a = 0; a < q; ++a)
    for (Index b = 0; b < q; ++b) {
      double sum = 0.0;
      for (Index i = 0; i < m; ++i) sum += wj(a, i) * wj(b, i);
      result(a, b) = (a == b ? 1.0 : 0.0) + gamma * gamma * sum;
    }
  return result;
}

/// THEORY.md 4.1: D = Σ_k u_k u_kᵀ ⊗ M_k, entries ordered as blocks are here: (state k, output c) at c m + k.
inline Dense explicit_dynamics(const Dense& s, const Dense& w, double gamma) {
  const Index m = s.rows;
  const Index q = w.cols;
  const Dense inverse_u = inverse(shifted(s, gamma));
  Dense d(m * q, m * q);
  for (Index k = 0; k < m; ++k) {
    const Dense mk = output_matrix(s, w, gamma, k);
    for (Index a = 0; a < q; ++a)
      for (Index b = 0; b < q; ++b)
        for (Index i = 0; i < m; ++i)
          for (Index j = 0; j < m; ++j)
            d(a * m + i, b * m + j) += inverse_u(k, i) * inverse_u(k, j) * mk(a, b);
  }
  return d;
}

/// This rank's rows of a block that every rank holds whole.
inline std::vector<double> local_block(const RowBlockMatrix& rows, const Dense& x) {
  std::vector<double> local;
  for (Index c = 0; c < x.cols; ++c)
    for (Index k = 0; k < rows.local_rows(); ++k) local.push_back(x(rows.row_begin() + k, c));
  return local;
}

inline void fill_rows(RowBlockMatrix& matrix, const Dense& values) {
  for (Index i = 0; i < matrix.local_rows(); ++i)
    for (Index j = 0; j < matrix.width(); ++j)
      matrix.rows()[i * matrix.width() + j] = values(matrix.row_begin() + i, j);
}

/// Collective. σ(A) of a model, whole.
inline Dense whole_softmax(const RowBlockMatrix& s) {
  Dense x(s.width(), s.width());
  for (Index i = 0; i < s.local_rows(); ++i)
    for (Index j = 0; j < s.width(); ++j) x(s.row_begin() + i, j) = s.rows()[i * s.width() + j];
  MPI_Allreduce(MPI_IN_PLACE, x.values.data(), static_cast<int>(x.values.size()), MPI_DOUBLE, MPI_SUM,
                s.comm());
  return x;
}

/// Collective. The whole block, from every rank's rows of it.
inline Dense whole_block(const RowBlockMatrix& rows, Index q, const double* local) {
  Dense x(rows.width(), q);
  for (Index c = 0; c < q; ++c)
    for (Index k = 0; k < rows.local_rows(); ++k)
      x(rows.row_begin() + k, c) = local[c * rows.local_rows() + k];
  MPI_Allreduce(MPI_IN_PLACE, x.values.data(), static_cast<int>(x.values.size()), MPI_DOUBLE, MPI_SUM,
                rows.comm());
  return x;
}

}  // namespace poise::testing
