#pragma once

#include "poise/objective/collapsed_model.hpp"
#include "poise/objective/objective.hpp"
#include "poise/objective/shallow_loss.hpp"

namespace poise {

/// Loss and gradient of the softmax-linear model through its shallow equivalent (THEORY.md 3.1): 2q solves of
/// size m and one pass over the features, or none for the squared loss. `-objective collapsed`.
class CollapsedObjective final : public Objective {
 public:
  /// `model` and `loss` are shared with the audit, which needs W and G at the same θ; both must outlive this.
  CollapsedObjective(CollapsedModel& model, ShallowLoss& loss);
  Evaluation value_and_gradient(Vec theta, Vec gradient) override;
  Score test(Vec theta) override;

 private:
  CollapsedModel& model_;
  ShallowLoss& loss_;
  std::vector<double> g_;
};

}  // namespace poise
