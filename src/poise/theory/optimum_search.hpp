#pragma once

#include <limits>
#include <string>
#include <vector>

#include "poise/base/error.hpp"
#include "poise/theory/convex_optimum.hpp"
#include "poise/theory/optimum_certificate.hpp"

namespace poise {

/// What is known of L₀ on the way to its optimum, whatever the minimiser: loss and gradient at the point in
/// hand, and whether that point ends the search. All blocks are slice rows x q.
class OptimumSearch {
 public:
  /// Collective on the world. Both must outlive it.
  OptimumSearch(ShallowLoss& loss, const ConvexOptimumSettings& settings);

  [[nodiscard]] MPI_Comm world() const { return loss_.layout().grid().world(); }
  [[nodiscard]] bool boxed() const;
  /// Entries of a block.
  [[nodiscard]] Index size() const { return static_cast<Index>(w_.size()); }
  /// Collective on the world. L₀ and its gradient at w, less the means of its columns where the loss does not
  /// see them; computed unless they are known. Throws failure if the loss is not finite.
  void evaluate(const double* w);
  [[nodiscard]] double loss() const { return known_.loss; }
  [[nodiscard]] const std::vector<double>& gradient() const { return gradient_; }
  /// (s ρ ΦΦᵀ)⁺ of a block, in place, ρ the largest curvature of the loss. Collective on the world.
  void precondition(double* block);

  enum class Verdict { goes_on, found, hopeless };
  /// Collective on the world. After an iteration that ended at w.
  [[nodiscard]] Verdict judge(const double* w);

  /// Whether an optimum is proved, or separation.
  [[nodiscard]] bool has_result() const { return found_ || !optimum_.attained; }
  [[nodiscard]] ConvexOptimum& optimum() { return optimum_; }
  /// The failure of a minimiser that ended for `reason` without a result.
  [[nodiscard]] Error no_proof(const std::string& reason) const;

 private:
  [[nodiscard]] double samples_scale() const;
  [[nodiscard]] bool is_separated();
  void keep(const OptimumCertificate& certificate);

  ShallowLoss& loss_;
  const ConvexOptimumSettings& settings_;
  OptimumCertifier certifier_;
  std::vector<double> w_, gradient_;  // where L₀ is known
  Score known_;
  bool is_known_ = false;
  double attempt_below_ = std::numeric_limits<double>::infinity();
  double last_norm_ = 0.0, last_w_norm_ = 0.0, last_rounding_ = 0.0;
  double best_bound_ = std::numeric_limits<double>::infinity();
  bool found_ = false;
  ConvexOptimum optimum_;
};

}  // namespace poise
