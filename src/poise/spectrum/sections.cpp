#include "poise/spectrum/sections.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "poise/model/weights.hpp"
#include "poise/run/usage.hpp"
#include "poise/solve/equilibrium_solver.hpp"
#include "poise/theory/feature_matrix.hpp"
#include "poise/theory/sampled_slopes.hpp"
#include "poise/theory/spectral_solvers.hpp"

namespace poise::spectrum {
namespace {

constexpr double eigenvalue_tolerance = 1e-10;

/// The measured numbers of one Jacobian J = diag(a')W.
struct Measured {
  double radius = 0.0, radius_residual = 0.0, norm = 0.0, norm_residual = 0.0;
};

Measured measure(const RowBlockMatrix& weights, const std::vector<double>& slopes) {
  const double scale = frobenius_norm(weights, slopes.data());
  if (scale == 0.0) return {};  // every unit of a relu is off
  const LinearOperator jacobian = operator_of(weights, slopes.data());
  const Eigenvalues top = leading_eigenvalues(jacobian, 1,
                                              {.prefix = "spec_jacobian_",
                                               .quantity = "leading eigenvalues of Jacobians",
                                               .tolerance = eigenvalue_tolerance,
                                               .scale = scale});
  const SpectralValue norm =
      largest_singular_value(jacobian, {.prefix = "spec_jacobian_norm_", .quantity = "norms of Jacobians"});
  return {top.values.front().modulus(), top.values.front().residual, norm.value, norm.residual};
}

SampleSet all_nodes(const GraphNodes& graph) {
  return {
      .total = graph.rows.nodes, .count = graph.rows.own.size(), .features = graph.features, .targets = {}};
}

Theory radius_theory(const Pointwise::Shape& shape) {
  if (shape.weights == WeightKind::softmax) return {"<=", shape.gamma, "gamma, the bound of |dh/dz|_1 (7.5)"};
  if (shape.weights == WeightKind::spectral)
    return {"<=", shape.gamma, "gamma, the bound of |dh/dz|_2 (2.2)"};
  return {"", 0.0, "no bound; below 1, plain iteration converges near z*"};
}

}  // namespace

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
    throw usage(fmt::format("-count {}: W has only {} eigenvalues; give at most {}", settings.count,
                            layout.width(), layout.width()));
  const std::unique_ptr<Weights> weights = make_weights(shape_.weights, layout, shape_.gamma);
  weights->evaluate(experiment.theta(), weights_.rows());
  nodes_ = dynamic_cast<NodeObjective*>(&experiment.network().objective());
  if (shape_.activation != Activation::identity && nodes_ == nullptr) {
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
  if (nodes_ != nullptr) consult_options(world, "spec_graph_", "EPS");
  if (shape_.activation == Activation::identity) return;
  consult_options(world, "spec_jacobian_", "EPS");
  consult_options(world, "spec_jacobian_norm_", "EPS");
  if (!map_) return;  // the solver of a graph has its options already
  const EquilibriumSolver equilibria(experiment_.grid().feature(), *map_, 1, 1e-12, settings_.samples);
}

void Sections::report() {
  if (has_weights()) {
    weights();
    shifted_weights();
    graph();
    dynamics();
    jacobians();
  } else {
    table_.section("weights", "Recurrent weights, U, D, Jacobian");
    table_.note(
        run_.network.has_equilibrium_model()
            ? fmt::format("do not apply: -model {} has no weights W of the form a(Wz + u)",
                          run_.network.model)
            : fmt::format("do not apply: -objective {} has no equilibrium equation", run_.network.objective));
  }
  features();
}

void Sections::dynamics() {
  table_.section("dynamics", "D of d vec(W)/dt = -D vec(grad L0(W)) (THEORY.md 4)");
  if (!dynamics_) return table_.note("does not apply: D is defined for -model softmax_linear");
  (void)collapsed_->set_parameters(experiment_.theta());
  dynamics_->update(collapsed_->w());
  const SmallestEigenvalue smallest = smallest_->solve();
  table_.add({.name = "smallest_eigenvalue",
              .label = "lambda_min",
              .value = smallest.lambda_min,
              .residual = smallest.lambda_min - smallest.lower_bound,
              .theory = {">=", 1.0 / (largest_of_u_ * largest_of_u_), "1/sigma_max(U)^2 (4.4)"},
              .products = smallest.products});
  table_.add({.name = "floor",
              .label = "its floor at any time",
              .value = dynamics_->lambda_floor(),
              .theory = {"", 0.0, "1/(m (1 + gamma)^2) (4.4)"}});
  const SpectralValue largest = largest_dynamics_eigenvalue(*dynamics_, *collapsed_);
  table_.add("largest_eigenvalue", "lambda_max", largest, {"", 0.0, "what limits an explicit step in time"});
  table_.add({.name = "condition", .label = "condition", .value = largest.value / smallest.lambda_min});
}

void Sections::jacobians() {
  if (nodes_ != nullptr) return graph_jacobian();
  table_.section("jacobian", "Jacobian dh/dz = diag(a') W at the equilibria");
  if (!map_) return table_.note("dh/dz = W at every equilibrium: the model is linear");
  const SampledSlopes found =
      sample_slopes(experiment_.layout(), *map_, experiment_.problem().train, settings_.samples);
  Measured largest;
  Index worst = found.samples.front();
  Index worst_norm = worst;
  for (std::size_t k = 0; k < found.samples.size(); ++k) {
    const Measured one = measure(weights_, found.slopes[k]);
    if (one.radius > largest.radius) {
      worst = found.samples[k];
      largest.radius = one.radius;
      largest.radius_residual = one.radius_residual;
    }
    if (one.norm > largest.norm) {
      worst_norm = found.samples[k];
      largest.norm = one.norm;
      largest.norm_residual = one.norm_residual;
    }
  }
  const Theory theory = radius_theory(shape_);
  const Theory norm_theory = shape_.weights == WeightKind::spectral ? theory : Theory{};
  const auto add = [&](const std::string& name, const std::string& label, double value, double residual,
                       const Theory& says) {
    table_.add({.name = name, .label = label, .value = value, .residual = residual, .theory = says});
  };
  table_.note(fmt::format(
      "equilibria of {} of {} training samples; largest rho at sample {}, largest norm at sample {}",
      found.samples.size(), experiment_.problem().train.total, worst, worst_norm));
  add("spectral_radius", "largest rho", largest.radius, largest.radius_residual, theory);
  add("norm", "largest |dh/dz|_2", largest.norm, largest.norm_residual, norm_theory);
  const Measured mean = measure(weights_, found.mean);
  add("mean_spectral_radius", "rho, mean slopes", mean.radius, mean.radius_residual, theory);
  add("mean_norm", "norm, mean slopes", mean.norm, mean.norm_residual, norm_theory);
}

void Sections::features() {
  const Problem& problem = experiment_.problem();
  const bool on_graph = nodes_ != nullptr;
  table_.section("features",
                 fmt::format("Features Phi of {}", on_graph ? "all nodes" : "the training samples"));
  const FeatureSpectrum found =
      feature_spectrum(experiment_.grid(), experiment_.data().features().width(),
                       on_graph ? all_nodes(*experiment_.data().graph()) : problem.train);
  const auto add = [&](const char* name, const char* label, double value, const Theory& theory) {
    table_.add({.name = name, .label = label, .value = value, .theory = theory});
  };
  add("largest_singular_value", "sigma_max", found.largest, {});
  add("smallest_singular_value", "sigma_r", found.smallest,
      {">", found.cut, "below, rounding of Phi Phi' hides it: counts as 0"});
  add("rank", "rank", static_cast<double>(found.rank), {"<=", static_cast<double>(found.width), "features"});
  add("condition", "condition", found.condition(), {});
  if (on_graph)
    table_.note("kappa: none for a graph, whose nodes are coupled; Theorem 1 is about -model softmax_linear");
  else if (problem.loss->least_squares())
    add("kappa", "kappa", 4.0 * problem.scale(problem.train.total) * found.smallest * found.smallest,
        {"", 0.0, "4 s sigma_r^2, of Theorem 1 (5.2)"});
  else
    table_.note("kappa: no global one for this loss (5.3)");
}

}  // namespace poise::spectrum
