#pragma once

// Matrices whose spectra are known by construction, over all ranks.

#include <cmath>
#include <complex>
#include <functional>
#include <numbers>
#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise/linalg/row_block_matrix.hpp"
#include "unit/theory/dense_dynamics.hpp"

namespace poise::testing {

using Complex = std::complex<double>;

/// A dense matrix and its distribution over the world.
struct Spread {
  explicit Spread(Dense values)
      : dense(std::move(values)), grid(MPI_COMM_WORLD), rows(grid.world(), grid.world_offsets(dense.rows)) {
    fill_rows(rows, dense);
  }
  Dense dense;
  ProcessGrid grid;
  RowBlockMatrix rows;
};

/// Q B Qᵀ with an orthogonal Q: the spectrum of B and its normality.
inline Dense rotated(const Dense& b, std::uint64_t seed = 5) {
  const Dense q = orthonormal(b.rows, b.rows, seed);
  return product(product(q, b), transposed(q));
}

/// The normal matrix with these eigenvalues: 1 x 1 blocks for the real ones, |λ| times a rotation for a pair
/// (of which only one member is given).
inline Dense normal_matrix(const std::vector<Complex>& eigenvalues) {
  Index m = 0;
  for (const Complex& value : eigenvalues) m += value.imag() == 0.0 ? 1 : 2;
  Dense b(m, m);
  Index at = 0;
  for (const Complex& value : eigenvalues) {
    b(at, at) = value.real();
    if (value.imag() != 0.0) {
      b(at + 1, at + 1) = value.real();
      b(at, at + 1) = -value.imag();
      b(at + 1, at) = value.imag();
      ++at;
    }
    ++at;
  }
  return rotated(b);
}

/// `diagonal` and ones above it: its numerical range is a disc about `diagonal` of radius cos(π/(m + 1)).
inline Dense jordan_block(Index m, double diagonal, double above = 1.0) {
  Dense j(m, m);
  for (Index i = 0; i < m; ++i) {
    j(i, i) = diagonal;
    if (i + 1 < m) j(i, i + 1) = above;
  }
  return j;
}

/// C_ij = c_(j − i mod m), normal, with the eigenvalues Σ_k c_k e^{2πi jk/m}.
inline Dense circulant(const std::vector<double>& c) {
  const auto m = static_cast<Index>(c.size());
  Dense a(m, m);
  for (Index i = 0; i < m; ++i)
    for (Index j = 0; j < m; ++j) a(i, j) = c[static_cast<std::size_t>((j - i + m) % m)];
  return a;
}

inline std::vector<Complex> circulant_eigenvalues(const std::vector<double>& c) {
  const double m = static_cast<double>(c.size());
  std::vector<Complex> values;
  for (std::size_t j = 0; j < c.size(); ++j) {
    Complex sum = 0.0;
    for (std::size_t k = 0; k < c.size(); ++k)
      sum += c[k] * std::polar(1.0, 2.0 * std::numbers::pi * static_cast<double>(j * k) / m);
    values.push_back(sum);
  }
  return values;
}

}  // namespace poise::testing
