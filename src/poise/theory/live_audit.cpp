#include "poise/theory/live_audit.hpp"

#include <cmath>

#include "poise/base/check.hpp"
#include "poise/base/log_event.hpp"

namespace poise {
inline namespace theory {
namespace {

std::unique_ptr<LeastSquaresReference> make_reference(const ShallowLoss& loss) {
  if (loss.factor() == nullptr) return nullptr;
  const Problem& problem = loss.problem();
  return std::make_unique<LeastSquaresReference>(*loss.factor(), problem.outputs,
                                                 problem.scale(problem.train.total));
}

AuditConstants make_constants(const LeastSquaresReference* reference, const DynamicsMatrix& dynamics,
                              const CollapsedModel& model, double loss_unit) {
  AuditConstants constants;
  constants.lambda_floor = dynamics.lambda_floor();
  if (reference != nullptr) {
    constants.kappa = reference->kappa();
    constants.excess_rounding = loss_unit * reference->excess_rounding(model.weight_error());
  }
  return constants;
}

}  // namespace

double integration_error(double gradient_norm, double local_error_sum) {
  return std::isinf(local_error_sum) ? local_error_sum : gradient_norm * local_error_sum;
}

LiveAudit::LiveAudit(CollapsedModel& model, ShallowLoss& loss, std::uint64_t seed)
    : model_(model),
      loss_(loss),
      dynamics_(model.softmax(), model.gamma(), loss.problem().outputs),
      eigensolver_(dynamics_, seed),
      reference_(make_reference(loss)),
      constants_(make_constants(reference_.get(), dynamics_, model, loss.problem().loss_unit)),
      rates_(constants_),
      g_(static_cast<std::size_t>(dynamics_.local_size())) {}

AuditPoint LiveAudit::observe(Index step, double t, Vec theta, double gradient_norm, double local_error_sum) {
  static const LogEvent event("Audit");
  const auto scope = event.begin();
  AuditPoint point;
  AuditSample& sample = point.sample;
  sample.step = step;
  sample.t = t;
  const double unit = loss_.problem().loss_unit;
  sample.integration_error = integration_error(unit * gradient_norm, local_error_sum);
  (void)model_.set_parameters(theta);
  if (reference_) {
    const auto distance = reference_->distance(model_.w());
    sample.excess = unit * distance.excess;
    sample.grad_norm2 = unit * distance.grad_norm2;
    sample.loss = unit * reference_->optimal_loss() + sample.excess;
  } else {
    sample.loss = loss_.value_and_gradient(model_.w(), g_.data()).loss;
    sample.excess = sample.loss;  // L* >= 0
    double norm2 = 0.0;
    for (const double entry : g_) norm2 += entry * entry;
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, &norm2, 1, MPI_DOUBLE, MPI_SUM, dynamics_.comm()));
    sample.grad_norm2 = norm2;
  }
  dynamics_.update(model_.w());
  const SmallestEigenvalue eigenvalue = eigensolver_.solve();
  sample.lambda_min = eigenvalue.lambda_min;
  sample.lambda_error = eigenvalue.lambda_min - eigenvalue.lower_bound;
  point.row = rates_.add(sample);
  return point;
}

LiveAudit::State LiveAudit::state() const {
  const std::vector<double>& eigenvectors = eigensolver_.eigenvectors();
  State state{.rates = rates_.save()};
  if (dynamics_.local_size() > 0)
    state.columns = static_cast<Index>(eigenvectors.size()) / dynamics_.local_size() * dynamics_.outputs();
  // A rank without rows holds no numbers, so that the largest count of all ranks is taken.
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &state.columns, 1, MPI_INT64_T, MPI_MAX, dynamics_.comm()));
  state.eigenvectors.resize(eigenvectors.size());
  transpose(dynamics_.local_rows(), state.columns, eigenvectors.data(), state.eigenvectors.data());
  return state;
}

void LiveAudit::restore(const State& state) {
  std::vector<double> eigenvectors(state.eigenvectors.size());
  transpose(state.columns, dynamics_.local_rows(), state.eigenvectors.data(), eigenvectors.data());
  rates_.restore(state.rates);
  eigensolver_.set_eigenvectors(eigenvectors);
}

}  // namespace theory
}  // namespace poise
