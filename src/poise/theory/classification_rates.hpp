#pragma once

#include <memory>
#include <string>
#include <vector>

#include "poise/theory/audit.hpp"
#include "poise/theory/classification_constants.hpp"
#include "poise/theory/classification_reference.hpp"

namespace poise {

/// Excess and constants of THEORY.md 5.3 for a run of a classification loss, which is seen point by point.
/// The constants are of sets that hold every W seen and W*: they are a priori in form (no κ_t enters) and
/// true for the whole run.
///
/// Without an attained optimum (separable data) L* = 0 has no comparator, hence no a-priori constant: then
/// only κ_t audits the run. With the optimum in a box, every W must be in the box for the constants.
class ClassificationRates {
 public:
  /// Collective on the world. `loss` must outlive it.
  ClassificationRates(ShallowLoss& loss, ConvexOptimum optimum);
  ClassificationRates(const ClassificationRates&) = delete;  // its parts point at one another
  ClassificationRates& operator=(const ClassificationRates&) = delete;

  /// Collective on the world. Replaces loss, excess and gradient of a sample at W (the block of Wᵀ) by those
  /// against L*, and widens the sets that the constants are of. Returns by how much the excess may be off,
  /// which is added to the sample's integration error.
  double measure(const double* w, AuditSample& sample);

  /// Collective on the world. κ of the outputs reached by W* and every W seen; NaN where there is an
  /// obstacle.
  [[nodiscard]] double kappa_outputs() const;
  /// The same of the ball ‖W‖₁ <= radius() that holds them all. Not collective.
  [[nodiscard]] double kappa_ball() const;
  /// Why there are no a-priori constants; empty if there are. Not collective.
  [[nodiscard]] std::string obstacle() const;

  [[nodiscard]] const ConvexOptimum& optimum() const { return optimum_; }
  [[nodiscard]] double radius() const { return radius_; }
  /// The largest |W_ij| seen: the smallest box for them.
  [[nodiscard]] double largest_entry() const { return largest_entry_; }

 private:
  void widen(const double* w);

  ShallowLoss& loss_;
  ConvexOptimum optimum_;
  ClassificationReference reference_;
  std::unique_ptr<ClassificationConstants> constants_;  // where the optimum is attained
  std::vector<double> spreads_;                         // of the outputs of this rank's training samples
  double radius_ = 0.0, largest_entry_ = 0.0;
};

}  // namespace poise
