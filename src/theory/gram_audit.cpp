#include "poise/theory/gram_audit.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "poise/base/error.hpp"
#include "poise/linalg/blas.hpp"
#include "poise/theory/row_slices.hpp"

namespace poise {
namespace {

AuditConstants make_constants(const Problem& problem) {
  if (problem.loss == LossKind::linear)
    throw Error(ExitCode::bad_input, "a linear loss has no lower bound: no rate is proven for it", true);
  AuditConstants constants;
  constants.theorem = "the rate of the Gram matrix";
  constants.matrix = "K";
  if (problem.loss == LossKind::squared) constants.kappa = 4.0 * problem.scale(problem.train.total);
  return constants;
}

std::vector<double> gather_targets(const ProcessGrid& grid, const Problem& problem) {
  const Index q = problem.outputs;
  std::vector<double> all(static_cast<std::size_t>(q * problem.train.total), 0.0);
  if (grid.feature_index() == 0)
    std::copy(problem.train.targets.begin(), problem.train.targets.end(),
              all.begin() + grid.samples(problem.train.total).begin * q);
  sum_over_ranks(grid.world(), all);
  return all;
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
      constants_(make_constants(problem)),
      rates_(constants_),
      targets_(gather_targets(layout.grid(), problem)),
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
  sample.loss = scale * evaluate_loss(problem_.loss, gram_.output_count(), gram_.samples(),
                                      gram_.outputs().data(), targets_.data(), g_.data())
                            .loss;
  for (double& entry : g_) entry *= scale;
  sample.excess = sample.loss;
  sample.grad_norm2 = norm2(g_);
  sample.lambda_min = spectrum.lambda_min;
  sample.lambda_error = std::min(spectrum.error, spectrum.lambda_min);
  sample.lambda_floor = std::max(0.0, spectrum.states_lambda_min - spectrum.error);
  // The loss is as good as the outputs: to first order, and to second where g is small (ℓ'' <= 2).
  const double share = gram_.solve_residual() + 10.0 * std::numeric_limits<double>::epsilon();
  const double change = share * std::sqrt(norm2(gram_.outputs()));
  sample.integration_error =
      gradient_norm * local_error_sum + change * (std::sqrt(sample.grad_norm2) + scale * change);
  point.audit.row = rates_.add(sample);

  std::vector<double> image(g_.size());
  gemm('N', 'N', size, 1, size, 1.0, gram_.matrix().data(), size, g_.data(), size, 0.0, image.data(), size);
  double slope = 0.0;
  for (std::size_t k = 0; k < g_.size(); ++k) slope += g_[k] * image[k];
  point.gradient_norm = std::sqrt(std::max(0.0, slope));
  return point;
}

}  // namespace poise
