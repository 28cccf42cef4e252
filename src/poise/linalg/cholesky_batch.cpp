#include "poise/linalg/cholesky_batch.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace poise {
inline namespace linalg {
namespace {

void subtract_product(Index n, const double* __restrict x, const double* __restrict y, double* __restrict z) {
  for (Index k = 0; k < n; ++k) z[k] -= x[k] * y[k];
}
void add_product(Index n, const double* __restrict x, const double* __restrict y, double* __restrict z) {
  for (Index k = 0; k < n; ++k) z[k] += x[k] * y[k];
}
void scale(Index n, const double* __restrict x, double* __restrict z) {
  for (Index k = 0; k < n; ++k) z[k] *= x[k];
}
void divide(Index n, const double* __restrict x, double* __restrict z) {
  for (Index k = 0; k < n; ++k) z[k] /= x[k];
}

/// Columns handled together: for q = 10 the sums then need 14 kB, and stay in the first-level cache.
constexpr Index tile = 32;

using Tile = std::array<double, tile>;

void add_product(const Tile& x, const Tile& y, double* __restrict z) {
  for (std::size_t t = 0; t < tile; ++t) z[t] += x[t] * y[t];
}

}  // namespace

CholeskyBatch::CholeskyBatch(Index count, Index size)
    : count_(count), size_(size), entries_(static_cast<std::size_t>(count * pairs())) {}

Index CholeskyBatch::factor() {
  for (Index j = 0; j < size_; ++j) {
    double* pivot = entry(j, j);
    for (Index p = 0; p < j; ++p) subtract_product(count_, entry(j, p), entry(j, p), pivot);
    for (Index k = 0; k < count_; ++k) {
      if (!(pivot[k] > 0.0) || !std::isfinite(pivot[k])) return k;
      pivot[k] = std::sqrt(pivot[k]);
    }
    for (Index i = j + 1; i < size_; ++i) {
      for (Index p = 0; p < j; ++p) subtract_product(count_, entry(i, p), entry(j, p), entry(i, j));
      divide(count_, pivot, entry(i, j));
    }
  }
  return -1;
}

void CholeskyBatch::solve(double* x) const {
  for (Index a = 0; a < size_; ++a) {
    for (Index b = 0; b < a; ++b) subtract_product(count_, entry(a, b), x + b * count_, x + a * count_);
    divide(count_, entry(a, a), x + a * count_);
  }
  for (Index a = size_ - 1; a >= 0; --a) {
    for (Index b = a + 1; b < size_; ++b)
      subtract_product(count_, entry(b, a), x + b * count_, x + a * count_);
    divide(count_, entry(a, a), x + a * count_);
  }
}

void CholeskyBatch::multiply(double* x) const {
  multiply_factor_transpose(x);
  multiply_factor(x);
}

void CholeskyBatch::multiply_factor_transpose(double* x) const {
  // Row b of Lᵀx reads only rows a >= b, so ascending order may overwrite.
  for (Index b = 0; b < size_; ++b) {
    scale(count_, entry(b, b), x + b * count_);
    for (Index a = b + 1; a < size_; ++a) add_product(count_, entry(a, b), x + a * count_, x + b * count_);
  }
}

void CholeskyBatch::multiply_factor(double* x) const {
  for (Index a = size_ - 1; a >= 0; --a) {
    scale(count_, entry(a, a), x + a * count_);
    for (Index b = 0; b < a; ++b) add_product(count_, entry(a, b), x + b * count_, x + a * count_);
  }
}

void weighted_moments(Index rows, Index size, Index count, const double* w, const double* s, Index s_stride,
                      const double* centres, Index centre_stride, double* moments) {
  const Index pairs = size * (size + 1) / 2;
  std::vector<Tile> shifts(static_cast<std::size_t>(size));
  std::vector<Tile> scaled(static_cast<std::size_t>(size));
  std::vector<Tile> totals(static_cast<std::size_t>(pairs));
  for (Index k = 0; k < count; k += tile) {
    const Index n = std::min(tile, count - k);
    for (std::size_t a = 0; a < shifts.size(); ++a) {
      shifts[a].fill(0.0);
      std::copy_n(centres + static_cast<Index>(a) * centre_stride + k, n, shifts[a].data());
    }
    for (Tile& total : totals) total.fill(0.0);
    Tile weights{};  // stays 0 beyond n, so that a short tile needs no separate loop
    for (Index i = 0; i < rows; ++i) {
      std::copy_n(s + i * s_stride + k, n, weights.data());
      for (std::size_t a = 0, pair = 0; a < scaled.size(); ++a) {
        const double w_i = w[static_cast<Index>(a) * rows + i];
        for (std::size_t t = 0; t < tile; ++t) scaled[a][t] = weights[t] * (w_i - shifts[a][t]);
        for (std::size_t b = 0; b <= a; ++b) add_product(scaled[a], scaled[b], totals[pair++].data());
      }
    }
    for (Index pair = 0; pair < pairs; ++pair)
      std::copy_n(totals[static_cast<std::size_t>(pair)].data(), n, moments + pair * count + k);
  }
}

}  // namespace linalg
}  // namespace poise
