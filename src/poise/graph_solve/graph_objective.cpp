#include "poise/graph_solve/graph_objective.hpp"

#include <algorithm>
#include <limits>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"

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
GraphObjective::GraphObjective(const ParameterLayout& layout, EquilibriumMap& map, const GraphMatrix& matrix,
                               std::vector<double> features, const Problem& problem, const Settings& settings)
    : SampleObjective(layout, problem, map.local_states(), 0, std::numeric_limits<Index>::max() / 2),
      map_(map),
      settings_(settings),
      equation_(layout.grid(), map, matrix),
      perron_(perron_of(map)),
      equilibrium_(equation_, perron_, settings.rtol),
      adjoint_(equation_, perron_, equilibrium_.rtol()),
      features_(std::move(features)) {
  for (const char* event : {"Equilibrium", "Adjoint"}) (void)LogEvent(event);
  const auto size = static_cast<std::size_t>(equation_.local_size());
  for (auto* block : {&injection_, &z_, &cotangent_, &lambda_}) block->resize(size);
  slopes_.resize(static_cast<std::size_t>(map.slope_rows() * equation_.local_nodes()));
}

void GraphObjective::forget() {
  map_.forget();
  solved_for_.forget();
  warm_states_ = warm_adjoint_ = false;
}

void GraphObjective::predict(Index /*count*/, const double* /*features*/, Prediction& /*prediction*/) {
  throw Error(ExitCode::failed, "nodes of a graph have no outputs apart from the graph", true);
}

void GraphObjective::load_network(Vec theta) {
  static const LogEvent event("Equilibrium");
  const auto scope = event.begin();
  if (!settings_.warm_start) map_.forget();
  map_.set_parameters(theta);
  if (solved_for_.matches(theta)) return;
  if (perron_) perron_->invalidate();
  map_.inject(equation_.local_nodes(), features_.data(), injection_.data());
  if (!warm_states_) z_ = injection_;  // a better start than 0: it is h(0)
  solved_for_.forget();                // unless the solve succeeds
  forward_ = require(equilibrium_.solve(injection_.data(), z_.data(), slopes_.data()), true);
  solved_for_.remember(theta);
  warm_states_ = settings_.warm_start;
}

void GraphObjective::clear_network_gradient() {
  map_.clear_gradient();
  std::fill(cotangent_.begin(), cotangent_.end(), 0.0);
}

void GraphObjective::forward(Panel& panel, bool /*with_gradient*/, Evaluation& /*result*/) {
  const Index rows = map_.local_states();
  for (Index c = 0; c < panel.p; ++c)
    std::copy_n(z_.data() + panel.samples.nodes[panel.local[c]] * rows, rows, panel.state.data() + c * rows);
}

void GraphObjective::backward(Panel& panel, Evaluation& /*result*/) {
  const Index rows = map_.local_states();
  for (Index c = 0; c < panel.p; ++c)
    std::copy_n(panel.cotangent.data() + c * rows, rows,
                cotangent_.data() + panel.samples.nodes[panel.local[c]] * rows);
}

void GraphObjective::write_network_gradient(Vec gradient) {
  {
    static const LogEvent event("Adjoint");
    const auto scope = event.begin();
    if (!warm_adjoint_) lambda_ = cotangent_;
    backward_ = require(adjoint_.solve(slopes_.data(), cotangent_.data(), lambda_.data()), true);
    warm_adjoint_ = settings_.warm_start;
  }
  equation_.add_gradient(slopes_.data(), z_.data(), features_.data(), lambda_.data());
  map_.write_gradient(gradient);
}

void GraphObjective::end_pass(Evaluation& result) {
  result.equilibrium = forward_;
  result.adjoint = backward_;
}

}  // namespace graph_solve
}  // namespace poise
