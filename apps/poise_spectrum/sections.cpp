#include "poise_spectrum/sections.hpp"

#include <algorithm>

#include "poise/model/weights.hpp"
#include "poise/run/usage.hpp"
#include "poise/solve/equilibrium_solver.hpp"

namespace poise::spectrum {

Sections::Sections(Experiment& experiment, const TrainSettings& run, const SpectrumSettings& settings,
                   Table& table)
    : experiment_(experiment),
      run_(run),
      settings_(settings),
      table_(table),
      shape_(run.network.shape(experiment.data().features().width())),
      weights_(experiment.grid().world(), experiment.layout().slice_offsets(),
               experiment.layout().matrix_type()) {
  if (!has_weights()) return;
  const ParameterLayout& layout = experiment.layout();
  if (settings.count_given && settings.count > layout.width())
    throw usage("-count " + std::to_string(settings.count) + ": W has only " +
                std::to_string(layout.width()) + " eigenvalues");
  const std::unique_ptr<Weights> weights = make_weights(shape_.weights, layout, shape_.gamma);
  weights->evaluate(experiment.theta(), weights_.rows());
  if (shape_.activation != Activation::identity) {
    map_ = std::make_unique<Pointwise>(layout, shape_);
    map_->set_parameters(experiment.theta());
  }
  if (run.network.is_softmax_linear()) {
    collapsed_ = std::make_unique<CollapsedModel>(layout, shape_.gamma);
    dynamics_ = std::make_unique<DynamicsMatrix>(collapsed_->softmax(), shape_.gamma, layout.outputs());
    smallest_ = std::make_unique<SmallestEigensolver>(*dynamics_, run.seed);
  }
  consult_solvers();
}

void Sections::consult_solvers() {
  const MPI_Comm world = experiment_.grid().world();
  for (const char* prefix : {"spec_w_", "spec_range_"}) consult_options(world, prefix, "EPS");
  for (const char* prefix : {"spec_norm_", "spec_power_", "spec_resolvent_", "spec_u_"})
    consult_options(world, prefix, "EPS");
  for (const char* prefix : {"spec_resolvent_", "spec_u_"}) consult_options(world, prefix, "KSP");
  if (dynamics_) consult_options(world, "limit_lambda_", "EPS");
  if (!map_) return;
  consult_options(world, "spec_jacobian_", "EPS");
  consult_options(world, "spec_jacobian_norm_", "EPS");
  const EquilibriumSolver equilibria(experiment_.grid().feature(), *map_, 1, 1e-12, settings_.samples);
}

void Sections::report() {
  if (has_weights()) {
    weights();
    shifted_weights();
    dynamics();
    jacobians();
  } else {
    table_.section("weights", "Recurrent weights, U, D, Jacobian");
    table_.note(run_.network.has_equilibrium_model()
                    ? "do not apply: -model " + run_.network.model + " has no weights W of the form a(Wz + u)"
                    : "do not apply: -objective " + run_.network.objective + " has no equilibrium equation");
  }
  features();
}

}  // namespace poise::spectrum
