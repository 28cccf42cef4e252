#pragma once

#include <cmath>
#include <functional>
#include <limits>
#include <vector>

namespace poise {
inline namespace audit {

/// The difference between a derivative and central differences, relative to the size of the derivative.
struct DifferenceCheck {
  double error = 0.0;
  /// The error that step size and rounding can explain: ten times the change from one step size to the next,
  /// which shows both, and four times the stated noise.
  double tolerance = 0.0;
};

/// Collective if the functions are. `difference`: the local entries of (f(x + h v) − f(x − h v))/2h for a
/// step h; `exact`: the derivative; `norm`: the norm over all ranks of local entries; `size`: the scale of
/// the derivative; `noise`: the absolute error of f in that norm. The steps are `step`, `step`/10, …; the
/// step with the smallest tolerance decides.
[[nodiscard]] inline DifferenceCheck compare_differences(
    const std::function<std::vector<double>(double)>& difference, const std::vector<double>& exact,
    const std::function<double(const std::vector<double>&)>& norm, double size, double step, double noise) {
  constexpr int steps = 5;
  constexpr double least = 1e-9;  // relative rounding error of any derivative here
  DifferenceCheck best{std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()};
  std::vector<double> coarse = difference(step);
  for (int k = 1; k < steps; ++k) {
    const double h = step;
    step /= 10.0;
    const std::vector<double> fine = difference(step);
    std::vector<double> change(coarse), error(coarse);
    for (std::size_t i = 0; i < coarse.size(); ++i) {
      change[i] -= fine[i];
      error[i] -= exact[i];
    }
    const double tolerance = 10.0 * norm(change) / size + 4.0 * noise / (h * size) + least;
    const double deviation = norm(error) / size;
    if (std::isnan(deviation) || std::isnan(tolerance)) return {deviation, tolerance};
    if (tolerance < best.tolerance) best = {deviation, tolerance};
    coarse = fine;
  }
  return best;
}

}  // namespace audit
}  // namespace poise
