#include "poise/theory/cholesky_batch.hpp"

#include <cmath>

namespace poise {
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

}  // namespace poise
