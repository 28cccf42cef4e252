#include "poise/model/classification_loss.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace poise {
namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();
/// Up to here e^x − 1 − x is summed as a series: above it the difference loses no digit that matters.
constexpr double series_end = 0.5;
/// Above this no p_c e^{d_c} may be formed without taking out the largest power.
constexpr double largest_power = 30.0;

/// e^x − 1 − x, to full relative accuracy.
double second_order_rest(double x) {
  if (std::abs(x) > series_end) return std::expm1(x) - x;
  double term = 0.5 * x * x;
  double sum = 0.0;
  for (int k = 3; std::abs(term) > epsilon * epsilon * std::abs(sum) && k < 30; ++k) {
    sum += term;
    term *= x / k;
  }
  return sum;
}

}  // namespace

double softmax_divergence(Index outputs, const double* p, double* d) {
  const double mean = std::inner_product(d, d + outputs, p, 0.0);
  for (Index c = 0; c < outputs; ++c) d[c] -= mean;
  const double top = *std::max_element(d, d + outputs);
  double divergence = 0.0;
  if (top <= largest_power) {  // Σ p e^d = 1 + Σ p (e^d − 1 − d), as Σ p d = 0 now
    for (Index c = 0; c < outputs; ++c) divergence += p[c] * second_order_rest(d[c]);
    divergence = std::log1p(divergence);
  } else {
    for (Index c = 0; c < outputs; ++c) divergence += p[c] * std::exp(d[c] - top);
    divergence = top + std::log(divergence);
  }
  for (Index c = 0; c < outputs; ++c) d[c] = p[c] * std::expm1(d[c] - divergence);
  return divergence;
}

}  // namespace poise
