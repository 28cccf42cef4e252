#include "poise/theory/numerical_range.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "poise/base/check.hpp"
#include "poise/base/log_event.hpp"

namespace poise {
namespace {

/// Farther apart than this two lines have no corner; so many intervals are the start.
constexpr Index first_intervals = 4;

/// One support line.
struct Line {
  double height = 0.0;    ///< h(θ) from above: the Ritz value plus its residual
  double touching = 0.0;  ///< |x*Wx|
};

/// The Hermitian part of e^{iθ}W = cos θ (W + Wᵀ)/2 + i sin θ (W − Wᵀ)/2 on x = a + ib, blocks [a b].
LinearOperator hermitian_part(const RowBlockMatrix& weights, double theta) {
  LinearOperator op = operator_of(weights);
  op.columns = 2;
  op.size *= 2;
  const Index rows = op.rows;
  const double c = 0.5 * std::cos(theta);
  const double s = 0.5 * std::sin(theta);
  op.apply = [&weights, rows, c, s](const double* x, double* y) {
    std::vector<double> transposed(static_cast<std::size_t>(2 * rows)), image(transposed.size());
    weights.multiply(2, x, image.data());
    weights.multiply_transpose(2, x, transposed.data());
    for (Index i = 0; i < rows; ++i) {
      y[i] = c * (image[i] + transposed[i]) - s * (image[rows + i] - transposed[rows + i]);
      y[rows + i] = s * (image[i] - transposed[i]) + c * (image[rows + i] + transposed[rows + i]);
    }
  };
  op.apply_transpose = op.apply;
  return op;
}

/// |x*Wx| of a unit vector x = a + ib.
double touching_point(const RowBlockMatrix& weights, const std::vector<double>& x) {
  const Index rows = weights.local_rows();
  std::vector<double> image(x.size());
  weights.multiply(2, x.data(), image.data());
  double sums[2] = {0.0, 0.0};
  for (Index i = 0; i < rows; ++i) {
    sums[0] += x[i] * image[i] + x[rows + i] * image[rows + i];
    sums[1] += x[i] * image[rows + i] - x[rows + i] * image[i];
  }
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPI_DOUBLE, MPI_SUM, weights.comm()));
  return std::hypot(sums[0], sums[1]);
}

/// The largest |w| that lines of heights g and h, at angles `gap` < π/2 apart, allow between their
/// directions: max over φ of min(g / cos φ, h / cos(gap − φ)).
double corner(double g, double h, double gap) {
  if (g <= 0.0 || h <= 0.0) return 0.0;  // only 0 itself is on the inner side of such a line
  if (g * std::cos(gap) >= h) return h / std::cos(gap);
  if (h * std::cos(gap) >= g) return g / std::cos(gap);
  return std::sqrt(g * g + h * h - 2.0 * g * h * std::cos(gap)) / std::sin(gap);
}

}  // namespace

NumericalRange numerical_range(const RowBlockMatrix& weights, const NumericalRangeSettings& settings) {
  static const LogEvent event("NumericalRange");
  const auto scope = event.begin();
  NumericalRange result;
  const double scale = frobenius_norm(weights);
  if (scale == 0.0) return result;
  std::map<double, Line> lines;
  const auto add_line = [&](double theta) {
    const SpectralValue top = largest_eigenvalue(
        hermitian_part(weights, theta),
        {.prefix = settings.prefix, .quantity = "support lines of the numerical range", .scale = scale});
    const double point = touching_point(weights, top.vector);
    lines[theta] = {top.value + top.residual, point};
    result.products += top.products;
    result.radius_low = std::max(result.radius_low, point);
    ++result.angles;
    if (theta == 0.0) {
      result.abscissa = top.value;
      result.abscissa_residual = top.residual;
    }
  };
  for (Index k = 0; k <= first_intervals; ++k)
    add_line(std::numbers::pi * static_cast<double>(k) / static_cast<double>(first_intervals));
  for (;;) {
    double worst = 0.0;
    double middle = 0.0;
    for (auto left = lines.begin(), right = std::next(left); right != lines.end(); ++left, ++right) {
      const double reach = corner(left->second.height, right->second.height, right->first - left->first);
      if (reach <= worst) continue;
      worst = reach;
      middle = 0.5 * (left->first + right->first);
    }
    result.radius_high = std::max(worst, result.radius_low);
    if (result.radius_high - result.radius_low <= settings.tolerance * result.radius_high ||
        result.angles >= settings.angles)
      return result;
    add_line(middle);
  }
}

}  // namespace poise
