#pragma once

#include <cmath>
#include <functional>
#include <limits>
#include <vector>

namespace poise {

/// How far a derivative is from central differences, both relative to its size.
struct DifferenceCheck {
  double error = 0.0;
  /// What step size and rounding can explain: ten times the change from one step size to the next, which is
  /// what both leave, and four times the stated noise.
  double tolerance = 0.0;
};

/// Collective if the functions are. `difference` gives (f(x + h v) − f(x − h v))/2h, local entries;
/// `exact`: the derivative it should be; `norm`: of local entries, over all ranks; `noise`: absolute error of
/// f in that norm. Steps fall by ten from `step`; the one with the smallest tolerance decides.
[[nodiscard]] inline DifferenceCheck compare_differences(
    const std::function<std::vector<double>(double)>& difference, const std::vector<double>& exact,
    const std::function<double(const std::vector<double>&)>& norm, double size, double step, double noise) {
  constexpr int steps = 5;
  constexpr double least = 1e-9;  // what rounding leaves of any derivative here
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

}  // namespace poise
