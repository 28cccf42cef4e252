#include "poise/theory/resolvent.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "poise/base/log_event.hpp"

namespace poise {
namespace {

constexpr const char* prefix = "spec_resolvent_";
/// Of brackets that are 5 % wide. The linear solves of the inverse then reach condition numbers of 1e7.
constexpr double resolvent_tolerance = 1e-6;
constexpr Index first_arcs = 4;
/// |z| − 1 where the Kreiss constant is sampled.
constexpr double kreiss_radii[] = {0.01, 0.03, 0.1, 0.3, 1.0, 3.0};

/// Lower bound of σ_min(zI − W) on the arc between two points of the unit circle: it changes by no more than
/// z.
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
  // (a + ib)(x + iy) = (ax − by) + i(ay + bx); the transpose of the real form is that of the conjugate z.
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

}  // namespace poise
