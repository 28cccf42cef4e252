#include "poise/theory/step_limit.hpp"

#include "poise/base/log_event.hpp"
#include "poise/model/loss.hpp"

namespace poise {

StepLimitSolver::StepLimitSolver(CollapsedModel& model, ShallowLoss& loss, const DynamicsMatrix& dynamics,
                                 std::uint64_t seed)
    : model_(model),
      loss_(loss),
      solve_([&model](const double* b, double* x) { (void)model.solve(b, x); }),
      solve_transpose_([&model](const double* b, double* x) { (void)model.solve_transpose(b, x); }),
      features_(
          dynamics, [&loss](const double* v, double* out) { loss.gram_product(v, out); },
          "the largest singular value of the features", "limit_features_", seed),
      lambda_(
          dynamics,
          [this, &dynamics](const double* v, double* out) {
            dynamics.apply(v, out, solve_, solve_transpose_);
          },
          "the largest eigenvalue of D", "limit_lambda_", seed),
      curvature_(
          dynamics,
          [this, &dynamics](const double* v, double* out) {
            dynamics.apply_factor_transpose(v, out, solve_transpose_);
            loss_.hessian_product(out, out);
            dynamics.apply_factor(out, out, solve_);
          },
          "the largest curvature along the dynamics (D^1/2 H D^1/2)", "limit_curvature_", seed) {}

StepLimit StepLimitSolver::measure() {
  static const LogEvent event("StepLimit");
  const auto scope = event.begin();
  if (smoothness_ == 0.0) {
    const Problem& problem = loss_.problem();
    smoothness_ =
        problem.scale(problem.train.total) * largest_loss_curvature(problem.loss) * features_.solve().value;
  }
  loss_.linearise(model_.w());
  StepLimit limit;
  limit.lambda = lambda_.solve();
  limit.stiffest = curvature_.solve();
  limit.lambda_max = limit.lambda.value;
  limit.smoothness = smoothness_;
  limit.curvature = limit.stiffest.value;
  limit.guaranteed = 2.0 / (limit.smoothness * limit.lambda_max);
  limit.local = 2.0 / limit.curvature;
  return limit;
}

}  // namespace poise
