#include "poise/theory/least_squares_reference.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "poise/theory/row_slices.hpp"

namespace poise {
namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();
/// One step against C itself removes the rounding of the decomposition; what C and E carry remains.
constexpr int refinement_steps = 1;

double dot(const std::vector<double>& x, const double* y) {
  return std::inner_product(x.begin(), x.end(), y, 0.0);
}

}  // namespace

LeastSquaresReference::LeastSquaresReference(const RowBlockMatrix& gram, const double* cross, Index outputs,
                                             double target_norm2, double loss_scale, double relative_cut)
    : outputs_(outputs), loss_scale_(loss_scale), spectrum_(gram, relative_cut) {
  difference_.resize(static_cast<std::size_t>(gram.local_rows() * outputs));
  coordinates_.resize(difference_.size());
  find_optimum(gram, cross, target_norm2);
}

void LeastSquaresReference::find_optimum(const RowBlockMatrix& gram, const double* cross,
                                         double target_norm2) {
  optimum_.assign(cross, cross + difference_.size());
  spectrum_.apply_pseudo_inverse(outputs_, optimum_.data());
  std::vector<double> image(optimum_.size());  // C W*ᵀ
  for (int step = 0; step < refinement_steps; ++step) {
    gram.multiply(outputs_, optimum_.data(), image.data());
    std::transform(cross, cross + image.size(), image.begin(), difference_.begin(), std::minus<>());
    spectrum_.apply_pseudo_inverse(outputs_, difference_.data());
    std::transform(optimum_.begin(), optimum_.end(), difference_.begin(), optimum_.begin(), std::plus<>());
  }
  gram.multiply(outputs_, optimum_.data(), image.data());
  std::vector<double> sums{dot(optimum_, cross), dot(optimum_, image.data()), dot(optimum_, optimum_.data()),
                           std::inner_product(cross, cross + image.size(), cross, 0.0)};
  sum_over_ranks(gram.comm(), sums);
  const auto [fit, curvature, norm2, cross_norm2] = std::array{sums[0], sums[1], sums[2], sums[3]};
  optimal_loss_ = loss_scale_ * std::max(0.0, target_norm2 - 2.0 * fit + curvature);
  // Sums of m products lose √m ε at random; the three terms are at most 2‖Y‖² each.
  const double lost = 8.0 * epsilon * std::sqrt(static_cast<double>(gram.width()));
  optimal_loss_rounding_ = loss_scale_ * lost * target_norm2;
  optimum_norm2_ = norm2;
  own_rounding_ = 64.0 * epsilon * epsilon * cross_norm2 / smallest();
}

void LeastSquaresReference::keep_unseen_part(double* w) const {
  const RowBlockMatrix& vectors = spectrum_.vectors();
  vectors.multiply_transpose(outputs_, w, coordinates_.data());
  const Index rows = vectors.local_rows();
  for (Index c = 0; c < outputs_; ++c)
    for (Index i = 0; i < rows && vectors.row_begin() + i < rank(); ++i)
      coordinates_[static_cast<std::size_t>(c * rows + i)] = 0.0;
  vectors.multiply(outputs_, coordinates_.data(), w);
}

LeastSquaresReference::Distance LeastSquaresReference::distance(const double* w) const {
  std::transform(optimum_.begin(), optimum_.end(), w, difference_.begin(), std::minus<>());
  const RowBlockMatrix& vectors = spectrum_.vectors();
  vectors.multiply_transpose(outputs_, difference_.data(), coordinates_.data());
  const Index rows = vectors.local_rows();
  std::vector<double> sums(2);
  for (Index i = 0; i < rows && vectors.row_begin() + i < rank(); ++i) {
    const double value = spectrum_.values()[static_cast<std::size_t>(vectors.row_begin() + i)];
    double square = 0.0;
    for (Index c = 0; c < outputs_; ++c) {
      const double coordinate = coordinates_[static_cast<std::size_t>(c * rows + i)];
      square += coordinate * coordinate;
    }
    sums[0] += value * square;
    sums[1] += value * value * square;
  }
  sum_over_ranks(vectors.comm(), sums);
  return {loss_scale_ * sums[0], 4.0 * loss_scale_ * loss_scale_ * sums[1]};
}

}  // namespace poise
