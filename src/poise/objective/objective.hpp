#pragma once

#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise/model/loss.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/solve/outcome.hpp"

namespace poise {
inline namespace objective {

/// The samples of this rank, ready for a model. Local on each rank; equal targets on the ranks of
/// grid.feature().
struct SampleSet {
  Index total = 0;                ///< n, samples on all ranks
  Index count = 0;                ///< samples of this rank
  std::vector<double> features;   ///< Φ: m_f x count, column-major
  std::vector<double> targets;    ///< Y: outputs x count, column-major
  std::vector<double> weights{};  ///< ω_i > 0 of each sample (-class_weight): count numbers; empty: all 1
  /// Of a graph, whose samples are the labelled nodes: the node of each sample, by its number among the nodes
  /// of this rank. Then `features` is empty, because all nodes have features (GraphObjective).
  std::vector<Index> nodes{};

  /// The weights from sample `first` on; null if all weights are 1.
  [[nodiscard]] const double* weights_from(Index first) const {
    return weights.empty() ? nullptr : weights.data() + first;
  }
};

/// Collective on the world. The numbers of this rank's samples among all samples of the set. They are
/// grid.samples(total), but not for the labelled nodes of a graph, of which every rank has its own.
[[nodiscard]] Range own_samples(const ProcessGrid& grid, const SampleSet& samples);

/// What is minimised: L(A, B) = s Σ_i ω_i ℓ(f(x_i), y_i), s = 1 (sum) or 1/n (mean), option -loss_scale.
struct Problem {
  const Loss* loss = squared_loss();  ///< not owned; never null
  bool mean = true;
  Index outputs = 0;  ///< q
  SampleSet train = {};
  SampleSet test = {};  ///< may be empty
  /// σ² of the TargetScale: the loss in the units of the data is this times the loss of the problem.
  double loss_unit = 1.0;
  SampleSet validation = {};  ///< may be empty

  /// s for a set of n samples.
  [[nodiscard]] double scale(Index n) const { return mean && n > 0 ? 1.0 / static_cast<double>(n) : 1.0; }
};

/// Collective on the world. Adds up the sums of the ranks with feature index 0; every rank gets the same
/// total.
[[nodiscard]] LossSum sum_over_samples(const ProcessGrid& grid, const LossSum& local);

/// Loss and accuracy over a set of samples; the loss is scaled by s.
struct Score {
  double loss = 0.0;
  double accuracy = 0.0;  ///< share of samples with the right predicted class; without meaning for regression
};

/// The result of one evaluation of an objective.
struct Evaluation {
  Score train;
  double penalty = 0.0;  ///< minimised together with the loss; included in the gradient, not in the loss
  Outcome equilibrium;   ///< of the forward solves
  Outcome adjoint;       ///< of the backward solves
};

/// The training samples that an evaluation uses, all or a minibatch, and what it draws at random.
struct Batch {
  bool all = true;
  Index total = 0;             ///< samples of the minibatch on all ranks
  std::vector<Index> local{};  ///< the samples of this rank, by their numbers on this rank, ascending
  /// The step whose random numbers the evaluation takes (-dropout); negative: it draws none.
  Index step = -1;
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
  /// The same for a minibatch, scaled by the size of the minibatch, or for all samples (Batch::all) with the
  /// random numbers of a step. Throws bad_input if the objective takes no minibatches.
  [[nodiscard]] virtual Evaluation value_and_gradient(Vec theta, Vec gradient, const Batch& batch);
  /// Not collective. Forgets everything that earlier evaluations keep for later ones (warm starts). Then a
  /// run that continues from here and a run that restarts from here compute the same numbers bit for bit.
  virtual void forget() {}
  /// Loss and accuracy of a set of samples of the problem, without a gradient. All zeros if the set is empty.
  [[nodiscard]] virtual Score score(Vec theta, const SampleSet& samples) = 0;
};

/// Throws failure, on every rank, if a loss is NaN or Inf. `loss`: the same on every rank.
void require_finite_loss(double loss);

}  // namespace objective
}  // namespace poise
