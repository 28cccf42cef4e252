#include "poise/theory/step_limit.hpp"

#include "poise/base/log_event.hpp"
#include "poise/model/loss.hpp"
#include "poise/theory/dynamics_eigenvalues.hpp"

namespace poise {
inline namespace theory {

StepLimitSolver::StepLimitSolver(CollapsedModel& model, ShallowLoss& loss, const DynamicsMatrix& dynamics)
    : model_(model),
      loss_(loss),
      dynamics_(dynamics),
      solve_([&model](const double* b, double* x) { (void)model.solve(b, x); }),
      solve_transpose_([&model](const double* b, double* x) { (void)model.solve_transpose(b, x); }) {
  for (const char* prefix : {"limit_features_", "limit_lambda_", "limit_curvature_"})
    consult_options(dynamics.comm(), prefix, "EPS");
}

SpectralValue StepLimitSolver::largest(const LinearMap& apply, const std::string& prefix,
                                       const std::string& quantity) const {
  const LinearOperator op{dynamics_.comm(),
                          dynamics_.row_begin(),
                          dynamics_.local_rows(),
                          dynamics_.outputs(),
                          dynamics_.width() * dynamics_.outputs(),
                          apply,
                          nullptr};
  return largest_eigenvalue(op, {.prefix = prefix, .quantity = quantity});
}

StepLimit StepLimitSolver::measure() {
  static const LogEvent event("StepLimit");
  const auto scope = event.begin();
  if (smoothness_ == 0.0) {
    const Problem& problem = loss_.problem();
    const SpectralValue gram = largest([this](const double* v, double* out) { loss_.gram_product(v, out); },
                                       "limit_features_", "largest eigenvalues of the features' Gram matrix");
    smoothness_ = problem.scale(problem.train.total) * problem.loss->largest_curvature() * gram.value;
  }
  loss_.linearise(model_.w());
  StepLimit limit;
  limit.lambda = largest_dynamics_eigenvalue(dynamics_, model_);
  limit.stiffest = largest(
      [this](const double* v, double* out) {
        dynamics_.apply_factor_transpose(v, out, solve_transpose_);
        loss_.hessian_product(out, out);
        dynamics_.apply_factor(out, out, solve_);
      },
      "limit_curvature_", "largest curvatures along the dynamics (D^1/2 H D^1/2)");
  limit.lambda_max = limit.lambda.value;
  limit.smoothness = smoothness_;
  limit.curvature = limit.stiffest.value;
  limit.guaranteed = 2.0 / (limit.smoothness * limit.lambda_max);
  limit.local = 2.0 / limit.curvature;
  return limit;
}

}  // namespace theory
}  // namespace poise
