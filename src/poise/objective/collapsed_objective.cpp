#include "poise/objective/collapsed_objective.hpp"

#include "poise/objective/finite.hpp"

namespace poise {

CollapsedObjective::CollapsedObjective(CollapsedModel& model, ShallowLoss& loss)
    : model_(model),
      loss_(loss),
      g_(static_cast<std::size_t>(loss.layout().slice().size() * loss.layout().outputs())) {}

Evaluation CollapsedObjective::value_and_gradient(Vec theta, Vec gradient) {
  Evaluation result;
  result.equilibrium = model_.set_parameters(theta);
  result.train = loss_.value_and_gradient(model_.w(), g_.data());
  require_finite_loss(result.train.loss);
  result.adjoint = model_.write_gradient(g_.data(), gradient);
  return result;
}

Score CollapsedObjective::test(Vec theta) {
  model_.set_parameters(theta);
  return loss_.score(model_.w(), loss_.problem().test);
}

}  // namespace poise
