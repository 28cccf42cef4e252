#pragma once

#include <optional>
#include <string>
#include <vector>

#include "poise/theory/audit.hpp"
#include "poise/theory/classification_constants.hpp"
#include "poise/theory/classification_reference.hpp"

namespace poise {

/// One audit of Theorem 1 with one constant.
struct RateAuditRun {
  AuditConstants constants;  ///< κ is NaN where the running infimum of κ_t is taken
  RateAudit rates;
  std::vector<AuditRow> rows;  ///< one for each observed time
};

/// What a finished audit of a classification run says. The constants are of sets that hold every W observed
/// and W*: they are a priori in form (no κ_t enters) and true for the whole run.
struct ClassificationAuditResult {
  double radius = 0.0;          ///< R: the largest ‖W‖₁ over the times observed and W*
  double largest_entry = 0.0;   ///< the largest |W_ij| over the times observed: the smallest box for them
  double largest_spread = 0.0;  ///< of the outputs of a sample, see smallest_loss_curvature
  double smallest_kappa = 0.0;  ///< the a-posteriori κ, inf_t κ_t; +inf if no excess was seen
  std::optional<RateAuditRun> ball;     ///< with κ_R
  std::optional<RateAuditRun> outputs;  ///< with the constant of the outputs reached
  RateAuditRun measured;                ///< with inf κ_t over the times so far
  std::vector<AuditSample> samples;
  std::vector<std::string> statements;  ///< sentences for a report
  [[nodiscard]] bool held() const;
};

/// The audit of theory.md 5.3 on a run that is over or read from checkpoints: give it W at the audited times
/// in order, then `finish`. It measures excesses from the convex optimum (ClassificationReference), and with
/// all times known takes κ_R and the constant of the outputs over them, beside inf κ_t.
///
/// Without an attained optimum (separable data) L* = 0 has no comparator, hence no a-priori constant: then
/// only κ_t audits the run. With the optimum in a box, every W must be in the box for the a-priori constants;
/// else, or if Φ is not of full rank, a statement says what is missing.
class ClassificationAudit {
 public:
  /// Collective on the world. `loss` and `optimum` must outlive it. `lambda_floor`: theory.md 4.4.
  ClassificationAudit(ShallowLoss& loss, const ConvexOptimum& optimum, double lambda_floor);

  /// Collective on the world. `w`: the block of Wᵀ at time t; λ_min(D) there, by how much it may be too
  /// large, and the integrator's uncertainty of the excess, to which that of W* is added.
  void observe(Index step, double t, const double* w, double lambda_min, double lambda_error,
               double integration_error);

  /// Collective on the world. Throws failure if nothing was observed.
  [[nodiscard]] ClassificationAuditResult finish() const;

 private:
  [[nodiscard]] RateAuditRun audit_with(double kappa) const;
  /// Why there are no a-priori constants; empty if there are.
  [[nodiscard]] std::string obstacle() const;
  void state(ClassificationAuditResult& result) const;

  ShallowLoss& loss_;
  const ConvexOptimum& optimum_;
  ClassificationReference reference_;
  ClassificationConstants constants_;
  double lambda_floor_;
  std::vector<AuditSample> samples_;
  std::vector<double> spreads_;  // of this rank's training samples
  double radius_ = 0.0, largest_entry_ = 0.0;
};

}  // namespace poise
