#include "poise/audit/subject.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "poise/base/check.hpp"

namespace poise {
inline namespace audit {

TrainSettings Subject::without_audit(TrainSettings settings) {
  settings.audit = false;
  settings.network.gradient_check = 0;
  return settings;
}

Subject::Subject(MPI_Comm comm, const TrainSettings& settings, const Checkpoint& checkpoint)
    : settings_(without_audit(settings)),
      experiment_(comm, settings_, &checkpoint),
      start_(experiment_.layout().create()) {
  if (settings.start_from.empty())
    layout().initialise(start_.get(), settings.seed, 1.0, network().init_scale_b);
  else  // such a run keeps the checkpoint of its start
    restore_parameters(
        Checkpoint(comm, checkpoint_path(std::filesystem::path(checkpoint.path()).parent_path().string(), 0)),
        layout(), start_.get());
  if (network().has_equilibrium_model() && network().is_softmax_linear()) {
    model_ = experiment_.network().collapsed();
    loss_ = experiment_.network().shallow_loss();
    if (model_ == nullptr) {
      own_model_ = std::make_unique<CollapsedModel>(layout(), network().gamma);
      own_loss_ = std::make_unique<ShallowLoss>(layout(), problem());
      model_ = own_model_.get();
      loss_ = own_loss_.get();
    }
  }
  if (has_equilibria()) make_exact();
  measure_data();
}

void Subject::make_exact() {
  map_ = network().equilibrium_model()->make_map(layout(), experiment_.data().features().width());
  if (const GraphNodes* nodes = experiment_.data().graph())
    graph_ = std::make_unique<GraphObjective>(
        layout(), *map_, *experiment_.network().graph_matrix(), nodes->features, problem(),
        GraphObjective::Settings{.warm_start = false, .normalise = network().normalise_states});
  else
    exact_ = std::make_unique<EquilibriumObjective>(
        layout(), *map_, problem(),
        EquilibriumSettings{
            .panel = network().panel, .jacobian_weight = network().jacobian_weight, .seed = settings_.seed});
}

void Subject::measure_data() {
  double norms2[2] = {0.0, 0.0};
  const GraphNodes* nodes = experiment_.data().graph();
  for (const double entry : nodes != nullptr ? nodes->features : problem().train.features)
    norms2[0] += entry * entry;
  if (grid().feature_index() == 0)
    for (const double entry : problem().train.targets) norms2[1] += entry * entry;
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, norms2, 2, MPI_DOUBLE, MPI_SUM, grid().world()));
  features_norm2_ = norms2[0] * problem().scale(problem().train.total);
  targets_norm2_ = norms2[1] * problem().scale(problem().train.total);
}

Objective& Subject::true_objective() {
  if (follows_gradient()) return experiment_.objective();
  return exact();
}

double Subject::gradient_size(double loss) const {
  const double slopes = problem().loss->gradient_bound() * std::max(loss, 0.0);
  return std::sqrt(slopes * features_norm2_);
}

double Subject::loss_noise(double loss) const {
  constexpr double rounding = 64.0 * std::numeric_limits<double>::epsilon();
  const double c = contraction();
  double accuracy = rounding * (1.0 + c) / (1.0 - c);  // of the outputs, relative to their size
  if (network().is_collapsed()) accuracy = std::max(accuracy, model_->weight_error());
  if (network().solves_equilibria()) accuracy = std::max(accuracy, 4.0 * rtol() * (1.0 + c) / (1.0 - c));
  if (!problem().loss->least_squares()) return accuracy * std::abs(loss);
  const double size = std::sqrt(targets_norm2_) + std::sqrt(std::max(0.0, loss));
  return accuracy * (std::abs(loss) + 2.0 * std::sqrt(std::max(0.0, loss)) * size) +
         accuracy * accuracy * size * size;
}

double Subject::contraction() const {
  if (!network().has_equilibrium_model()) return 0.0;
  constexpr double unknown = 1.0 - 1e-2;
  // The matrix S of a graph does not expand, THEORY.md 8.2; the adjacency matrix itself may.
  if (network().is_graph() && network().normalisation == Normalisation::none) return unknown;
  return network().equilibrium_model()->contraction();
}

double Subject::gradient_accuracy() const {
  constexpr double rounding = 64.0 * std::numeric_limits<double>::epsilon();
  const double condition = (1.0 + contraction()) / (1.0 - contraction());
  if (network().is_collapsed()) return std::max(rounding, model_->weight_error()) * condition;
  if (network().solves_equilibria()) return 4.0 * rtol() * condition * condition;
  return rounding;
}

}  // namespace audit
}  // namespace poise
