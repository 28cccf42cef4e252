#pragma once

#include <memory>
#include <vector>

#include "poise/objective/collapsed_model.hpp"
#include "poise/objective/shallow_loss.hpp"
#include "poise/theory/audit.hpp"
#include "poise/theory/dynamics_eigenvalues.hpp"
#include "poise/theory/dynamics_matrix.hpp"
#include "poise/theory/least_squares_reference.hpp"

namespace poise {
inline namespace theory {

/// Uncertainty of the loss, to first order, due to errors of θ: the size of the errors times the norm of the
/// gradient; inf if the errors are not known.
[[nodiscard]] double integration_error(double gradient_norm, double local_error_sum);

/// The live audit of Theorem 1 on a running softmax-linear model: measures W, ∇L₀(W), the excess and λ_min(D)
/// at θ and enters them into a RateAudit. Squared loss: κ and L* of THEORY.md 5.2, and the excess is computed
/// without cancellation. Other losses: there is no global κ and L* is unknown, so that L − 0 is audited with
/// the measured κ_t, which the proof allows (see AuditSample). Losses and squared gradients are multiplied by
/// the `loss_unit` of the problem, so that they are in the unit of the data; their ratio κ does not change.
class LiveAudit {
 public:
  /// Collective on the world. `model` and `loss` must outlive the audit.
  LiveAudit(CollapsedModel& model, ShallowLoss& loss, std::uint64_t seed);

  /// Collective on the world. `theta` is θ at time t, `gradient_norm` ‖∇L(θ)‖₂, `local_error_sum` the
  /// integrator's accumulated error of θ; their product is the stated uncertainty of the excess, to first
  /// order.
  AuditPoint observe(Index step, double t, Vec theta, double gradient_norm, double local_error_sum);

  [[nodiscard]] const RateAudit& rates() const { return rates_; }
  [[nodiscard]] const AuditConstants& constants() const { return constants_; }
  /// The convex optimum; nullptr if it has no closed form.
  [[nodiscard]] const LeastSquaresReference* reference() const { return reference_.get(); }

  /// What a resumed audit needs.
  struct State {
    std::vector<double> rates = {};  ///< the numbers of the RateAudit, on every rank
    Index columns = 0;               ///< q times the number of eigenvectors that the eigensolver starts from
    /// This rank's rows of the slice of the eigenvectors: rows x columns, row-major.
    std::vector<double> eigenvectors = {};
  };
  /// Collective on the world.
  [[nodiscard]] State state() const;
  /// Not collective. The next point continues from `state`.
  void restore(const State& state);

 private:
  CollapsedModel& model_;
  ShallowLoss& loss_;
  DynamicsMatrix dynamics_;
  SmallestEigensolver eigensolver_;
  std::unique_ptr<LeastSquaresReference> reference_;
  AuditConstants constants_;
  RateAudit rates_;
  std::vector<double> g_;
};

}  // namespace theory
}  // namespace poise
