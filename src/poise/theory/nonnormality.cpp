#include "poise/theory/nonnormality.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "poise/base/check.hpp"
#include "poise/base/log_event.hpp"

namespace poise {
inline namespace theory {
namespace {

/// Intervals of θ at the start: two lines have a corner only if their angles are less than π/2 apart.
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

/// The largest |w| between the directions of two lines of heights g and h, whose angles are `gap` < π/2
/// apart: max over φ of min(g / cos φ, h / cos(gap − φ)).
double corner(double g, double h, double gap) {
  if (g <= 0.0 || h <= 0.0) return 0.0;  // only 0 lies on the inner side of such a line
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

namespace {

constexpr const char* prefix = "spec_resolvent_";
/// Tolerance of σ_min, for brackets that are 5 % wide. With it the linear solves of the inverse reach
/// condition numbers of 1e7.
constexpr double resolvent_tolerance = 1e-6;
constexpr Index first_arcs = 4;
/// |z| − 1 where the Kreiss constant is sampled.
constexpr double kreiss_radii[] = {0.01, 0.03, 0.1, 0.3, 1.0, 3.0};

/// Lower bound of σ_min(zI − W) on the arc between two points of the unit circle: σ_min changes by at most
/// the change of z.
double lowest_between(double left, double right, double arc) {
  return 0.5 * (left + right - arc);
}

}  // namespace

LinearOperator shifted(const RowBlockMatrix& weights, std::complex<double> z) {
  LinearOperator op = operator_of(weights);
  const double a = z.real();
  const double b = z.imag();
  const Index columns = b == 0.0 ? 1 : 2;
  const Index rows = op.rows;
  op.columns = columns;
  op.size *= columns;
  // (a + ib)(x + iy) = (ax − by) + i(ay + bx); the transpose of the real form is the real form for the
  // conjugate z and Wᵀ.
  const auto subtract = [rows, columns, a](double imaginary, const double* x, double* y) {
    for (Index i = 0; i < rows * columns; ++i) y[i] = a * x[i] - y[i];
    if (columns == 1) return;
    for (Index i = 0; i < rows; ++i) {
      y[i] -= imaginary * x[rows + i];
      y[rows + i] += imaginary * x[i];
    }
  };
  op.apply = [&weights, columns, subtract, b](const double* x, double* y) {
    weights.multiply(columns, x, y);
    subtract(b, x, y);
  };
  op.apply_transpose = [&weights, columns, subtract, b](const double* x, double* y) {
    weights.multiply_transpose(columns, x, y);
    subtract(-b, x, y);
  };
  return op;
}

SpectralValue resolvent_distance(const RowBlockMatrix& weights, std::complex<double> z) {
  return smallest_singular_value(
      shifted(weights, z),
      {.prefix = prefix, .quantity = "smallest singular values of zI - W", .tolerance = resolvent_tolerance});
}

IterationStability iteration_stability(const RowBlockMatrix& weights, double range_radius, Index points,
                                       double tolerance) {
  static const LogEvent event("IterationStability");
  const auto scope = event.begin();
  IterationStability result;
  std::map<double, double> distances;
  const auto measure = [&](double radius, double angle) {
    // sin π is not 0 in floating point, but z = −1 is real.
    const bool real = angle == 0.0 || angle == std::numbers::pi;
    const std::complex<double> z =
        real ? std::complex<double>(angle == 0.0 ? radius : -radius) : std::polar(radius, angle);
    const SpectralValue found = resolvent_distance(weights, z);
    result.products += found.products;
    ++result.points;
    return found;
  };
  const auto add_point = [&](double angle) {
    const SpectralValue found = measure(1.0, angle);
    distances[angle] = found.value - found.residual;
    if (distances.size() > 1 && found.value + found.residual >= result.distance_high) return;
    result.distance_high = found.value + found.residual;
    result.angle = angle;
  };
  for (Index k = 0; k <= first_arcs; ++k)
    add_point(std::numbers::pi * static_cast<double>(k) / static_cast<double>(first_arcs));
  for (;;) {
    double lowest = result.distance_high;
    double middle = 0.0;
    for (auto left = distances.begin(), right = std::next(left); right != distances.end(); ++left, ++right) {
      const double bound = lowest_between(left->second, right->second, right->first - left->first);
      if (bound >= lowest) continue;
      lowest = bound;
      middle = 0.5 * (left->first + right->first);
    }
    result.distance_low = std::max({0.0, lowest, 1.0 - range_radius});
    if (result.distance_high - result.distance_low <= tolerance * result.distance_high ||
        result.points >= points)
      break;
    add_point(middle);
  }
  for (const double beyond : kreiss_radii) {
    const SpectralValue found = measure(1.0 + beyond, result.angle);
    result.kreiss_low = std::max(result.kreiss_low, beyond / (found.value + found.residual));
  }
  return result;
}

std::vector<PowerNorm> power_norms(const RowBlockMatrix& weights, int highest) {
  std::vector<PowerNorm> norms;
  const LinearOperator once = operator_of(weights);
  for (int power = 1; power <= highest; power *= 2) {
    LinearOperator op = once;
    const auto repeated = [power, rows = once.rows](const LinearMap& map) {
      return [power, rows, map](const double* x, double* y) {
        std::vector<double> last(x, x + rows);
        for (int k = 0; k < power; ++k) {
          map(last.data(), y);
          std::copy_n(y, rows, last.data());
        }
      };
    };
    op.apply = repeated(once.apply);
    op.apply_transpose = repeated(once.apply_transpose);
    norms.push_back({power, largest_singular_value(
                                op, {.prefix = "spec_power_", .quantity = "norms of the powers of W"})});
    norms.back().norm.products *= power;
  }
  return norms;
}

}  // namespace theory
}  // namespace poise
