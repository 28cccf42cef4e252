#include "poise/theory/gram_audit.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "poise/base/error.hpp"
#include "poise/linalg/blas.hpp"
#include "poise/theory/live_audit.hpp"
#include "poise/theory/row_slices.hpp"

namespace poise {
namespace {

/// Squared loss: ‖g‖² = 4 s² Σ ω² r² >= 4 s min ω L.
AuditConstants make_constants(const Problem& problem, const std::vector<double>& weights) {
  if (!problem.loss->bounded_below())
    throw Error(ExitCode::bad_input, "a linear loss has no lower bound: no rate is proven for it", true);
  AuditConstants constants;
  constants.theorem = "the rate of the Gram matrix";
  constants.matrix = "K";
  const double least = weights.empty() ? 1.0 : *std::min_element(weights.begin(), weights.end());
  if (problem.loss->least_squares()) constants.kappa = 4.0 * problem.scale(problem.train.total) * least;
  return constants;
}

/// `values` of all samples, `count` numbers each, on every rank.
std::vector<double> gather_samples(const ProcessGrid& grid, Index total, Index count,
                                   const std::vector<double>& values) {
  std::vector<double> all(static_cast<std::size_t>(count * total), 0.0);
  if (grid.feature_index() == 0)
    std::copy(values.begin(), values.end(), all.begin() + grid.samples(total).begin * count);
  sum_over_ranks(grid.world(), all);
  return all;
}

/// Empty where all are 1.
std::vector<double> gather_weights(const ProcessGrid& grid, const Problem& problem) {
  std::vector<double> largest{static_cast<double>(problem.train.weights.size())};
  sum_over_ranks(grid.world(), largest);  // a rank without samples has none in any case
  if (largest[0] == 0.0) return {};
  return gather_samples(grid, problem.train.total, 1, problem.train.weights);
}

double norm2(const std::vector<double>& x) {
  double sum = 0.0;
  for (const double entry : x) sum += entry * entry;
  return sum;
}

}  // namespace

GramAudit::GramAudit(const ParameterLayout& layout, const Problem& problem, const TangentGram::Factory& make,
                     double max_bytes)
    : problem_(problem),
      gram_(layout, problem, make, max_bytes),
      targets_(gather_samples(layout.grid(), problem.train.total, problem.outputs, problem.train.targets)),
      weights_(gather_weights(layout.grid(), problem)),
      constants_(make_constants(problem, weights_)),
      rates_(constants_),
      g_(targets_.size()) {}

GramPoint GramAudit::observe(Index step, double t, Vec theta, double gradient_norm, double local_error_sum) {
  GramPoint point;
  point.spectrum = gram_.measure(theta);
  const TangentSpectrum& spectrum = point.spectrum;
  const double scale = problem_.scale(problem_.train.total);
  const Index size = gram_.size();

  AuditSample& sample = point.audit.sample;
  sample.step = step;
  sample.t = t;
  sample.loss =
      scale * problem_.loss
                  ->evaluate(gram_.output_count(), gram_.samples(), gram_.outputs().data(), targets_.data(),
                             g_.data(), weights_.empty() ? nullptr : weights_.data())
                  .loss;
  for (double& entry : g_) entry *= scale;
  sample.excess = sample.loss;
  sample.grad_norm2 = norm2(g_);
  sample.lambda_min = spectrum.lambda_min;
  sample.lambda_error = std::min(spectrum.error, spectrum.lambda_min);
  sample.lambda_floor = std::max(0.0, spectrum.states_lambda_min - spectrum.error);
  const double most = weights_.empty() ? 1.0 : *std::max_element(weights_.begin(), weights_.end());
  // The loss is as good as the outputs: to first order, and to second where g is small (ℓ'' <= 2).
  const double share = gram_.solve_residual() + 10.0 * std::numeric_limits<double>::epsilon();
  const double change = share * std::sqrt(norm2(gram_.outputs()));
  sample.integration_error = integration_error(gradient_norm, local_error_sum) +
                             change * (std::sqrt(sample.grad_norm2) + most * scale * change);
  const double unit = problem_.loss_unit;
  for (double* number : {&sample.loss, &sample.excess, &sample.grad_norm2, &sample.integration_error})
    *number *= unit;
  point.audit.row = rates_.add(sample);

  std::vector<double> image(g_.size());
  gemm('N', 'N', size, 1, size, 1.0, gram_.matrix().data(), size, g_.data(), size, 0.0, image.data(), size);
  double slope = 0.0;
  for (std::size_t k = 0; k < g_.size(); ++k) slope += g_[k] * image[k];
  point.gradient_norm = std::sqrt(std::max(0.0, slope));
  return point;
}

}  // namespace poise
