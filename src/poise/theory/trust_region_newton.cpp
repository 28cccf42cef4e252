#include "poise/theory/trust_region_newton.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/options.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/theory/shallow_velocity.hpp"

namespace poise {
namespace {

double distance(Vec x, Vec y, double scale) {
  const VecHandle difference = duplicate(x);
  double norm = 0.0;
  check(VecWAXPY(difference.get(), -1.0, y, x));
  check(VecNorm(difference.get(), NORM_2, &norm));
  return norm / scale;
}

}  // namespace

/// All that does not depend on how the subproblem is solved; g and the velocities divided by ‖g‖, so that a
/// nearly converged run loses no digits.
struct TrustRegionNewtonCheck::Point {
  TrustRegionNewton measured;
  double share = 0.0;
  VecHandle gradient;
  VecHandle velocity;  ///< −D g
  double velocity_norm = 0.0;
  double radius = 0.0;  ///< ‖D g‖_G
};

double TrustRegionNewton::worst_error() const {
  double worst = direction_error;
  for (const double error : {radius_error, multiplier_error, velocity_error})
    if (!(error <= worst)) worst = error;  // a NaN stays
  return worst;
}

TrustRegionNewtonCheck::TrustRegionNewtonCheck(CollapsedModel& model, ShallowLoss& loss,
                                               const DynamicsMatrix& dynamics, std::uint64_t seed,
                                               double inner_rtol)
    : dynamics_(dynamics),
      operators_(model, loss),
      radius_(operators_, seed),
      inverse_(operators_, inner_rtol),
      solver_(operators_, inverse_),
      image_(static_cast<std::size_t>(operators_.local_size())) {}

TrustRegionNewtonCheck::Point TrustRegionNewtonCheck::prepare(double share) {
  if (!(share > 0.0 && share < 1.0))
    throw Error(ExitCode::bad_input,
                "the trust region needs a share of the largest delta in (0, 1), not " + to_text(share), true);
  operators_.update();
  Point point;
  point.share = share;
  point.measured.proven = operators_.loss().layout().outputs() == 1;
  take_gradient(point);
  take_velocity(point);
  const NewtonRadius radius = radius_.solve();
  TrustRegionNewton& measured = point.measured;
  measured.delta_bar = radius.delta_bar;
  measured.delta = share * radius.delta_bar;
  measured.eigen_residual = radius.residual;
  measured.eigen_products = radius.products;
  point.radius = metric_norm(measured.delta, point.velocity.get());
  measured.radius = measured.delta * measured.gradient_norm * point.radius;
  return point;
}

void TrustRegionNewtonCheck::take_gradient(Point& point) {
  point.gradient = create_vec(operators_.comm(), operators_.local_size());
  {
    WriteArray g(point.gradient.get());
    (void)operators_.loss().value_and_gradient(operators_.model().w(), g.data());
  }
  require_finite(point.gradient.get(), "the gradient of the shallow loss");
  double& norm = point.measured.gradient_norm;
  check(VecNorm(point.gradient.get(), NORM_2, &norm));
  if (norm == 0.0)
    throw Error(ExitCode::bad_input,
                "the gradient of the shallow loss is zero: W is optimal, the trust-region step is zero and "
                "there is no direction to compare; measure earlier in the run",
                true);
  check(VecScale(point.gradient.get(), 1.0 / norm));
}

// The velocity by D, and by the training gradient to compare it with. Both are linear in g.
void TrustRegionNewtonCheck::take_velocity(Point& point) {
  CollapsedModel& model = operators_.model();
  const ParameterLayout& layout = operators_.loss().layout();
  point.velocity = duplicate(point.gradient.get());
  const VecHandle trained = duplicate(point.gradient.get());
  const VecHandle theta_gradient = layout.create();
  {
    const ReadArray g(point.gradient.get());
    WriteArray velocity(point.velocity.get());
    dynamics_.apply(
        g.data(), velocity.data(), [&](const double* b, double* x) { (void)model.solve(b, x); },
        [&](const double* b, double* x) { (void)model.solve_transpose(b, x); });
    for (double& value : velocity.span()) value = -value;
    (void)model.write_gradient(g.data(), theta_gradient.get());
    WriteArray other(trained.get());
    shallow_velocity(model, layout, theta_gradient.get(), other.data());
  }
  check(VecNorm(point.velocity.get(), NORM_2, &point.velocity_norm));
  point.measured.velocity_error = distance(trained.get(), point.velocity.get(), point.velocity_norm);
}

double TrustRegionNewtonCheck::metric_norm(double delta, Vec v) {
  const ReadArray values(v);
  operators_.apply_metric(delta, values.data(), image_.data());
  double square = 0.0;
  for (std::size_t i = 0; i < image_.size(); ++i) square += values[i] * image_[i];
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &square, 1, MPI_DOUBLE, MPI_SUM, operators_.comm()));
  if (!(square > 0.0) || !std::isfinite(square))
    throw Error(ExitCode::failed,
                "a step has the squared length " + to_text(square) +
                    " in the metric of the trust region, which is then not positive definite: the largest "
                    "delta is not the one that was computed; tighten -spec_newton_eps_tol",
                true);
  return std::sqrt(square);
}

TrustRegionNewton TrustRegionNewtonCheck::compare(const Point& point, double inner_rtol) {
  TrustRegionNewton result = point.measured;
  result.inner_tolerance = inner_rtol;
  inverse_.set(result.delta, inner_rtol);
  const TrustRegionStep step = solver_.solve({result.delta, point.share, point.gradient.get(), point.radius});
  result.multiplier = step.multiplier / result.delta;
  result.direction_error = distance(step.direction.get(), point.velocity.get(), point.velocity_norm);
  result.radius_error = std::abs(metric_norm(result.delta, step.direction.get()) / point.radius - 1.0);
  result.multiplier_error = std::abs(step.multiplier - 1.0);
  result.kkt_residual = step.residual;
  result.iterations = step.iterations;
  result.inner_iterations = inverse_.iterations();
  result.inner_solves = inverse_.solves();
  return result;
}

TrustRegionNewton TrustRegionNewtonCheck::measure(double share) {
  return compare(prepare(share), inverse_.default_rtol());
}

std::vector<TrustRegionNewton> TrustRegionNewtonCheck::measure(double share,
                                                               std::span<const double> inner_rtols) {
  for (const double rtol : inner_rtols)
    if (!(rtol > 0.0 && rtol < 1.0))
      throw Error(ExitCode::bad_input,
                  "the inner tolerance of a trust region must be in (0, 1), not " + to_text(rtol), true);
  const Point point = prepare(share);
  std::vector<TrustRegionNewton> results;
  for (const double rtol : inner_rtols) results.push_back(compare(point, rtol));
  return results;
}

}  // namespace poise
