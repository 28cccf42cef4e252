#pragma once

#include <vector>

#include "poise/petsc/vec.hpp"
#include "poise/solve/outcome.hpp"

namespace poise {

/// Loss and hits over a set of samples, scaled by s.
struct Score {
  double loss = 0.0;
  double accuracy = 0.0;  ///< share of samples whose predicted class is right; of no meaning for regression
};

/// The result of one evaluation of an objective.
struct Evaluation {
  Score train;
  double penalty = 0.0;  ///< what is minimised beside the loss; in the gradient, not in the loss
  Outcome equilibrium;   ///< of the forward solves
  Outcome adjoint;       ///< of the backward solves
};

/// Which of the training samples an evaluation is of: all, or a minibatch.
struct Batch {
  bool all = true;
  Index total = 0;           ///< samples of the minibatch on all ranks
  std::vector<Index> local;  ///< those of this rank, counted on this rank, ascending
};

/// θ -> L(θ), ∇L(θ). Collective on the world; θ and the gradient as in ParameterLayout.
class Objective {
 public:
  virtual ~Objective() = default;
  Objective() = default;
  Objective(const Objective&) = delete;
  Objective& operator=(const Objective&) = delete;

  /// Throws failure if a solve failed or the loss is not finite.
  [[nodiscard]] virtual Evaluation value_and_gradient(Vec theta, Vec gradient) = 0;
  /// The same of a minibatch, scaled by its own size. Throws bad_input if the objective has none.
  [[nodiscard]] virtual Evaluation value_and_gradient(Vec theta, Vec gradient, const Batch& batch);
  /// Not collective. Forgets what evaluations have left for later ones (warm starts): then a run that goes on
  /// from here and one that restarts from here compute the same, bit by bit.
  virtual void forget() {}
  /// The loss of the test samples, without a gradient. All zeros if there are none.
  [[nodiscard]] virtual Score test(Vec theta) = 0;
};

}  // namespace poise
