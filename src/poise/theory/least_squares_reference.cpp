#include "poise/theory/least_squares_reference.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "poise/theory/rank_reductions.hpp"

namespace poise {
inline namespace theory {
namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();
/// One correction with R₁ itself removes the rounding of the decomposition.
constexpr int refinement_steps = 1;

}  // namespace

LeastSquaresReference::LeastSquaresReference(const TriangularFactor& factor, Index outputs, double loss_scale,
                                             double relative_cut)
    : outputs_(outputs), loss_scale_(loss_scale), svd_(factor.r, relative_cut) {
  difference_.resize(static_cast<std::size_t>(factor.r.local_rows() * outputs));
  coordinates_.resize(difference_.size());
  find_optimum(factor);
}

void LeastSquaresReference::find_optimum(const TriangularFactor& factor) {
  optimum_ = factor.targets;
  svd_.apply_pseudo_inverse(outputs_, optimum_.data());
  for (int step = 0; step < refinement_steps; ++step) {
    factor.r.multiply(outputs_, optimum_.data(), difference_.data());
    std::transform(factor.targets.begin(), factor.targets.end(), difference_.begin(), difference_.begin(),
                   std::minus<>());
    svd_.apply_pseudo_inverse(outputs_, difference_.data());
    std::transform(optimum_.begin(), optimum_.end(), difference_.begin(), optimum_.begin(), std::plus<>());
  }
  std::vector<double> norm2{std::inner_product(optimum_.begin(), optimum_.end(), optimum_.begin(), 0.0)};
  sum_over_ranks(factor.r.comm(), norm2);
  optimum_norm2_ = norm2[0];
  const double rest = factor.rest_norm2 + svd_.unreachable_norm2(outputs_, factor.targets.data());
  optimal_loss_ = loss_scale_ * rest;
  // Householder's QR has an error of ε times every column; in sums of m products it grows by √m at random.
  const double lost = 8.0 * epsilon * std::sqrt(static_cast<double>(factor.r.width()) * factor.targets_norm2);
  optimal_loss_rounding_ = loss_scale_ * lost * (2.0 * std::sqrt(rest) + lost);
  const double size = svd_.largest() * svd_.largest() * optimum_norm2_;
  own_rounding_ = 64.0 * epsilon * epsilon * (size + factor.targets_norm2);
}

LeastSquaresReference::Distance LeastSquaresReference::distance(const double* w) const {
  std::transform(optimum_.begin(), optimum_.end(), w, difference_.begin(), std::minus<>());
  const RowBlockMatrix& vectors = svd_.right();
  vectors.multiply_transpose(outputs_, difference_.data(), coordinates_.data());
  const Index rows = vectors.local_rows();
  std::vector<double> sums(2);
  for (Index i = 0; i < rows && vectors.row_begin() + i < rank(); ++i) {
    const double value = svd_.values()[static_cast<std::size_t>(vectors.row_begin() + i)];
    double square = 0.0;
    for (Index c = 0; c < outputs_; ++c) {
      const double coordinate = value * coordinates_[static_cast<std::size_t>(c * rows + i)];
      square += coordinate * coordinate;
    }
    sums[0] += square;
    sums[1] += value * value * square;
  }
  sum_over_ranks(vectors.comm(), sums);
  return {loss_scale_ * sums[0], 4.0 * loss_scale_ * loss_scale_ * sums[1]};
}

}  // namespace theory
}  // namespace poise
