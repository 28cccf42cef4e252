#include "poise/graph_solve/graph_objective.hpp"

#include <algorithm>
#include <limits>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/mpi_count.hpp"

namespace poise {
inline namespace graph_solve {
namespace {

std::shared_ptr<PerronVector> perron_of(const EquilibriumMap& map) {
  const auto form = map.pointwise_form();
  if (!form || form->column_sum <= 0.0) return nullptr;
  return std::make_shared<PerronVector>(form->weights, form->column_sum);
}

}  // namespace

// All labelled nodes of a rank are one panel without features: the states of all nodes are found before.
NodeObjective::NodeObjective(const ParameterLayout& layout, EquilibriumMap& map, const GraphMatrix& matrix,
                             std::vector<double> features, const Problem& problem, bool normalise,
                             const Dropout& dropout, bool keeps_map)
    : SampleObjective(layout, problem, map.local_states(), 0, std::numeric_limits<Index>::max() / 2),
      map_(map),
      equation_(layout.grid(), map, matrix),
      features_(std::move(features)),
      normalise_(normalise),
      keeps_map_(keeps_map),
      dropout_(dropout) {
  for (const char* event : {"Equilibrium", "Adjoint"}) (void)LogEvent(event);
  for (auto* block : {&injection_, &z_, &cotangent_})
    block->resize(static_cast<std::size_t>(equation_.local_size()));
}

void NodeObjective::forget() {
  map_.forget();
  solved_for_.forget();
}

void NodeObjective::load_network(Vec theta) {
  static const LogEvent event("Equilibrium");
  const auto scope = event.begin();
  if (!keeps_map_) map_.forget();
  map_.set_parameters(theta);
  const Index features_of = dropout_.features.active() ? drawn_step() : -1;
  if (features_of == features_of_ && solved_for_.matches(theta)) return;
  solved_for_.forget();  // unless the states are found
  features_of_ = features_of;
  if (features_of >= 0) drop_features(features_of);
  map_.inject(equation_.local_nodes(), features().data(), injection_.data());
  forward_ = find_states(z_);
  solved_for_.remember(theta);
}

void NodeObjective::drop_features(Index step) {
  const Index rows = map_.local_features(), first = equation_.matrix().own().begin;
  dropped_ = features_;
  for (Index n = 0; n < equation_.local_nodes(); ++n)
    dropout_.features.apply(step, first + n, dropout_.feature_rows, dropped_.data() + n * rows);
}

/// The factors by which an evaluation with a step multiplies the states that the readout sees.
void NodeObjective::drop_states(Panel& panel) {
  factors_.clear();
  if (!dropout_.states.active() || drawn_step() < 0) return;
  const Range rows = layout().block();
  factors_.assign(panel.state.size(), 1.0);
  for (Index c = 0; c < panel.p; ++c) {
    const Index node = equation_.matrix().own().begin + panel.samples.nodes[panel.local[c]];
    dropout_.states.apply(drawn_step(), node, rows, factors_.data() + c * rows.size());
  }
  for (std::size_t i = 0; i < factors_.size(); ++i) panel.state[i] *= factors_[i];
}

void NodeObjective::clear_network_gradient() {
  map_.clear_gradient();
  std::fill(cotangent_.begin(), cotangent_.end(), 0.0);
}

void NodeObjective::forward(Panel& panel, bool /*with_gradient*/, Evaluation& /*result*/) {
  const Index rows = map_.local_states();
  for (Index c = 0; c < panel.p; ++c)
    std::copy_n(z_.data() + panel.samples.nodes[panel.local[c]] * rows, rows, panel.state.data() + c * rows);
  if (normalise_) {
    norms_.resize(static_cast<std::size_t>(panel.p));
    column_norms(layout().grid().feature(), rows, panel.p, panel.state.data(), norms_.data());
    for (Index c = 0; c < panel.p; ++c)
      for (Index i = 0; i < rows; ++i)
        if (norms_[c] > 0.0) panel.state[c * rows + i] /= norms_[c];
  }
  drop_states(panel);
}

void NodeObjective::backward(Panel& panel, Evaluation& /*result*/) {
  const Index rows = map_.local_states();
  for (std::size_t i = 0; i < factors_.size(); ++i) panel.cotangent[i] *= factors_[i];
  if (normalise_) differentiate_norm(panel);
  for (Index c = 0; c < panel.p; ++c)
    std::copy_n(panel.cotangent.data() + c * rows, rows,
                cotangent_.data() + panel.samples.nodes[panel.local[c]] * rows);
}

/// Of y = z/‖z‖₂: ∂L/∂z = (g − y yᵀg)/‖z‖₂ with g = ∂L/∂y. At z = 0 it is 0. The panel's state is y with
/// dropout, and so y comes from z.
void NodeObjective::differentiate_norm(Panel& panel) {
  const Index rows = map_.local_states();
  const auto y = [&](Index c, Index i) {
    return z_[panel.samples.nodes[panel.local[c]] * rows + i] / norms_[c];
  };
  std::vector<double> products(static_cast<std::size_t>(panel.p), 0.0);
  for (Index c = 0; c < panel.p; ++c)
    for (Index i = 0; i < rows; ++i)
      if (norms_[c] > 0.0) products[c] += y(c, i) * panel.cotangent[c * rows + i];
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, products.data(), mpi_count(panel.p), MPI_DOUBLE, MPI_SUM,
                          layout().grid().feature()));
  for (Index c = 0; c < panel.p; ++c)
    for (Index i = 0; i < rows; ++i) {
      double& entry = panel.cotangent[c * rows + i];
      entry = norms_[c] > 0.0 ? (entry - products[c] * y(c, i)) / norms_[c] : 0.0;
    }
}

void NodeObjective::write_network_gradient(Vec gradient) {
  {
    static const LogEvent event("Adjoint");
    const auto scope = event.begin();
    backward_ = add_gradient(cotangent_);
  }
  map_.write_gradient(gradient);
}

void NodeObjective::end_pass(Evaluation& result) {
  result.equilibrium = forward_;
  result.adjoint = backward_;
}

GraphObjective::GraphObjective(const ParameterLayout& layout, EquilibriumMap& map, const GraphMatrix& matrix,
                               std::vector<double> features, const Problem& problem, const Settings& settings)
    : NodeObjective(layout, map, matrix, std::move(features), problem, settings.normalise, settings.dropout,
                    settings.warm_start),
      settings_(settings),
      perron_(perron_of(map)),
      equilibrium_(equation(), perron_, settings.rtol),
      adjoint_(equation(), perron_, equilibrium_.rtol()),
      slopes_(static_cast<std::size_t>(map.slope_rows() * equation().local_nodes())) {}

void GraphObjective::forget() {
  NodeObjective::forget();
  warm_states_ = warm_adjoint_ = false;
  if (perron_) perron_->forget();
}

std::vector<double> GraphObjective::residuals() const {
  std::vector<double> residual(states().size());
  equation().apply(states().data(), injection().data(), residual.data());
  const double largest = equation().worst(residual.data()).norm;
  for (std::size_t i = 0; i < residual.size(); ++i) residual[i] = states()[i] - residual[i];
  std::vector<double> norms(static_cast<std::size_t>(equation().local_nodes()));
  column_norms(equation().grid().feature(), equation().states(), equation().local_nodes(), residual.data(),
               norms.data());
  for (double& norm : norms) norm = largest > 0.0 ? norm / largest : norm;
  return norms;
}

std::string GraphObjective::solver() const {
  SNESType type = nullptr;
  check(SNESGetType(equilibrium_.snes(), &type));
  return type;
}

Outcome GraphObjective::find_states(std::vector<double>& states) {
  if (perron_ && settings_.warm_start)
    perron_->invalidate();
  else if (perron_)
    perron_->forget();
  if (!warm_states_) states = injection();  // a better start than 0: it is h(0) of a linear map
  const Outcome outcome =
      require(equilibrium_.solve(injection().data(), states.data(), slopes_.data()), true);
  warm_states_ = settings_.warm_start;
  return outcome;
}

Outcome GraphObjective::add_gradient(const std::vector<double>& cotangent) {
  if (!warm_adjoint_) lambda_ = cotangent;
  const Outcome outcome = require(adjoint_.solve(slopes_.data(), cotangent.data(), lambda_.data()), true);
  warm_adjoint_ = settings_.warm_start;
  own_equation().add_gradient(slopes_.data(), states().data(), features().data(), lambda_.data());
  return outcome;
}

UnrolledGraphObjective::UnrolledGraphObjective(const ParameterLayout& layout, EquilibriumMap& map,
                                               const GraphMatrix& matrix, std::vector<double> features,
                                               const Problem& problem, Index depth, bool normalise,
                                               const Dropout& dropout)
    : NodeObjective(layout, map, matrix, std::move(features), problem, normalise, dropout, false),
      layers_(static_cast<std::size_t>(std::max<Index>(depth, 0)),
              std::vector<double>(static_cast<std::size_t>(equation().local_size()), 0.0)),
      slopes_(static_cast<std::size_t>(map.slope_rows() * equation().local_nodes())),
      next_(static_cast<std::size_t>(equation().local_size())) {
  if (depth < 1) throw Error(ExitCode::bad_input, "an unrolled network has at least one layer", true);
}

Outcome UnrolledGraphObjective::find_states(std::vector<double>& states) {
  for (std::size_t k = 0; k < layers_.size(); ++k)
    equation().apply(layers_[k].data(), injection().data(),
                     k + 1 < layers_.size() ? layers_[k + 1].data() : states.data());
  return {};
}

Outcome UnrolledGraphObjective::add_gradient(const std::vector<double>& cotangent) {
  lambda_ = cotangent;
  for (std::size_t k = layers_.size(); k-- > 0;) {
    const std::vector<double>& after = k + 1 < layers_.size() ? layers_[k + 1] : states();
    equation().linearise(layers_[k].data(), after.data(), slopes_.data());
    own_equation().add_gradient(slopes_.data(), layers_[k].data(), features().data(), lambda_.data());
    if (k == 0) break;
    equation().jacobian_transpose(slopes_.data(), lambda_.data(), next_.data());
    lambda_.swap(next_);
  }
  return {};
}

}  // namespace graph_solve
}  // namespace poise
