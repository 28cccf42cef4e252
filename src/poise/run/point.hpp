#pragma once

#include <string>
#include <utility>
#include <vector>

#include "poise/dynamics/dynamics.hpp"
#include "poise/petsc/handle.hpp"

namespace poise {

/// What has been gathered since the last recorded step.
struct Interval {
  Index gradients = 0;                                     ///< observed ones
  double loss = 0.0, accuracy = 0.0, penalty = 0.0;        ///< their sums
  Index equilibrium_fallbacks = 0, adjoint_fallbacks = 0;  ///< samples, of all evaluations
};

/// Where a run stands: all that changes from step to step, but for the audit. Borrows the Vecs.
struct Point {
  Vec theta = nullptr;
  DynamicsState state;
  Interval interval;
  std::vector<std::pair<std::string, Vec>> vectors;  ///< of the dynamics
};

/// A copy of a Point, to go back to.
class KeptPoint {
 public:
  /// Collective on θ's communicator.
  void keep(const Point& point);
  [[nodiscard]] bool empty() const { return !theta_; }
  [[nodiscard]] Point point() const;

 private:
  VecHandle theta_;
  DynamicsState state_;
  Interval interval_;
  std::vector<std::pair<std::string, VecHandle>> vectors_;
};

/// A copy of what an observer saw, to look at it later.
struct KeptEvaluation {
  /// Collective on the communicator of the gradient.
  void keep(const DynamicsState& at, Vec gradient_there, const Evaluation& found);

  bool is_set = false;
  DynamicsState state;
  VecHandle gradient;
  Evaluation evaluation;
};

}  // namespace poise
