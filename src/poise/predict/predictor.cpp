#include "poise/predict/predictor.hpp"

#include <algorithm>

#include "poise/base/error.hpp"
#include "poise/run/experiment.hpp"

namespace poise {
inline namespace predict {
namespace {

/// The settings of the same network without what only a training needs. The collapsed gradient belongs to the
/// equilibrium model, which is solved here sample by sample.
TrainSettings for_prediction(TrainSettings settings) {
  settings.audit = false;
  settings.batch = 0;
  settings.network.warm_start = false;
  settings.network.gradient_check = 0;
  settings.network.jacobian_weight = 0.0;
  if (settings.network.is_collapsed()) settings.network.objective = "equilibrium";
  return settings;
}

Problem empty_problem(const ProcessGrid& grid, const TrainSettings& settings, const Checkpoint& checkpoint,
                      Index samples) {
  Problem problem;
  problem.loss = settings.loss;
  problem.mean = settings.mean;
  problem.outputs = Predictor::outputs_of(checkpoint);
  problem.train.count = samples;
  problem.train.total = samples * grid.sample_ranks();
  return problem;
}

}  // namespace

Predictor::Predictor(const ProcessGrid& grid, const TrainSettings& settings, const Checkpoint& checkpoint,
                     Index samples)
    : settings_(for_prediction(settings)),
      names_(DataNames::of(checkpoint)),
      features_(stored_features(grid, settings_, checkpoint)),
      problem_(empty_problem(grid, settings_, checkpoint, samples)) {
  build(grid, checkpoint, nullptr);
}

Predictor::Predictor(const ProcessGrid& grid, const TrainSettings& settings, const Checkpoint& checkpoint,
                     const GraphRows& rows, const std::vector<double>& inputs)
    : settings_(for_prediction(settings)),
      names_(DataNames::of(checkpoint)),
      features_(stored_features(grid, settings_, checkpoint)),
      problem_(empty_problem(grid, settings_, checkpoint, rows.own.size())) {
  GraphNodes nodes{.rows = rows, .features = {}, .feature_rows = features_.feature_rows()};
  nodes.features.resize(static_cast<std::size_t>(features_.rows().size() * rows.own.size()));
  features_.apply(rows.own.size(), inputs.data(), nodes.features.data());
  problem_.train.nodes = indices({0, rows.own.size()});
  problem_.train.total = rows.nodes;
  build(grid, checkpoint, &nodes);
}

void Predictor::build(const ProcessGrid& grid, const Checkpoint& checkpoint, const GraphNodes* nodes) {
  target_scale_ = stored_target_scale(checkpoint, problem_.outputs);
  network_ = std::make_unique<Network>(grid, settings_, problem_, features_.width(), nodes);
  objective_ = dynamic_cast<SampleObjective*>(&network_->objective());
  if (objective_ == nullptr) throw failure("the objective of the network is no sum over samples");
  theta_ = network_->layout().create();
  restore_parameters(checkpoint, network_->layout(), theta_.get());
  if (nodes == nullptr) objective_->set_parameters(theta_.get());  // of a graph, this solves the equilibrium
}

NetworkSides Predictor::sides_of(const TrainSettings& settings, const Checkpoint& checkpoint) {
  NetworkSides sides{.names = DataNames::of(checkpoint)};
  sides.inputs = checkpoint.integer("/features", "inputs");
  sides.outputs = outputs_of(checkpoint);
  sides.classes = classes_of(*settings.loss, sides.outputs, sides.names);
  return sides;
}

Index Predictor::outputs_of(const Checkpoint& checkpoint) {
  checkpoint.require_dims("/parameters/B", {-1, -1});
  return checkpoint.dims("/parameters/B")[0];
}

Index Predictor::classes_of(const Loss& loss, Index outputs, const DataNames& names) {
  if (loss.targets() == Targets::classes) return outputs;
  if (loss.targets() == Targets::binary) return 2;
  return names.class_count;
}

std::string Predictor::solver() const {
  if (const auto* graph = dynamic_cast<const GraphObjective*>(objective_)) return graph->solver();
  return network_->equilibrium() != nullptr ? network_->equilibrium()->equilibrium().type() : "";
}

void Predictor::predict(Index count, const double* x, Prediction& prediction) {
  phi_.resize(static_cast<std::size_t>(features_.rows().size() * count));
  features_.apply(count, x, phi_.data());
  objective_->predict(count, phi_.data(), prediction);
  unscale(prediction.outputs);
}

void Predictor::predict_nodes(Prediction& prediction) {
  objective_->set_parameters(theta_.get());
  objective_->predict(problem_.train.count, nullptr, prediction);
  prediction.residuals = dynamic_cast<NodeObjective&>(*objective_).residuals();
  unscale(prediction.outputs);
}

void Predictor::unscale(std::vector<double>& outputs) const {
  if (!target_scale_.is_set()) return;
  const auto q = static_cast<std::size_t>(this->outputs());
  for (std::size_t i = 0; i < outputs.size(); ++i)
    outputs[i] = target_scale_.shift[i % q] + target_scale_.scale * outputs[i];
}

std::vector<Index> Predictor::predicted_classes(Index count, const std::vector<double>& outputs) const {
  const Index q = this->outputs();
  std::vector<Index> classes(static_cast<std::size_t>(count));
  for (Index i = 0; i < count; ++i) {
    const double* f = outputs.data() + i * q;
    classes[i] =
        loss().targets() == Targets::binary ? static_cast<Index>(f[0] > 0.0) : std::max_element(f, f + q) - f;
  }
  return classes;
}

std::vector<double> Predictor::probabilities(Index count, const std::vector<double>& outputs) const {
  std::vector<double> probabilities(outputs.size());
  loss().linearise(this->outputs(), count, outputs.data(), probabilities.data());
  if (loss().targets() != Targets::binary) return probabilities;
  std::vector<double> opposite = outputs, both;  // of -f, as 1 - p would lose small probabilities to rounding
  for (double& f : opposite) f = -f;
  loss().linearise(1, count, opposite.data(), opposite.data());
  for (Index i = 0; i < count; ++i) both.insert(both.end(), {opposite[i], probabilities[i]});
  return both;
}

}  // namespace predict
}  // namespace poise
