#pragma once

#include <limits>
#include <string>
#include <vector>

#include "poise/objective/shallow_loss.hpp"

namespace poise {
inline namespace theory {

struct ConvexOptimumSettings {
  /// Largest error bound of L*: this times 1 for the mean loss, this times n for the sum.
  double tolerance = 1e-12;
  /// r of the optimum over |W_ij| <= r; if infinite, the optimum over all W.
  double box = std::numeric_limits<double>::infinity();
};

/// L* = inf L₀(W) of THEORY.md 5.3, with its proof.
struct ConvexOptimum {
  /// False: the data are separable, and the infimum L* = 0 is the loss of no W.
  bool attained = true;
  double loss = 0.0;         ///< L*, or a loss above L* by at most `error_bound`
  double error_bound = 0.0;  ///< proved by OptimumCertifier; 0 if not attained
  /// Largest rounding error of `loss` as a sum. Excesses come from ClassificationReference, not from `loss`.
  double loss_rounding = 0.0;
  double box = std::numeric_limits<double>::infinity();
  double margin = 0.0;             ///< if not attained: smallest margin of a sample, over ‖W‖_F
  double norm = 0.0;               ///< ‖W‖_F
  double gradient_norm = 0.0;      ///< ‖∇L₀(W) − multiplier‖_F
  double gradient_rounding = 0.0;  ///< largest rounding error of the gradient
  Index iterations = 0;            ///< iterations of TAO
  std::vector<double> w;  ///< block of Wᵀ, slice rows x q: the optimum, or a W that separates the data
  std::vector<double> multiplier;  ///< the part of ∇L₀(W) that the box balances; zero without a box
  [[nodiscard]] bool constrained() const { return box < std::numeric_limits<double>::infinity(); }
  /// One sentence for a report.
  [[nodiscard]] std::string statement() const;
};

/// Collective on the world. Minimises L₀ of the training samples, independently of any model, by TAO's
/// bounded trust-region Newton (bntr, prefix `optimum_`) with exact products with the Hessian, from W = 0;
/// without a box the inverse of ΦΦᵀ is the preconditioner. Iterates until the error bound is at most the
/// tolerance and the gradient has reached its rounding, or until some W classifies every sample with a
/// positive margin: multiples of this W bring the loss to 0.
///
/// Why the constraint is a box: THEORY.md 5.3 needs a convex set that contains W_t and the comparator, and on
/// which the curvature is at least some μ. For W and W' in this set L₀(W') >= L₀(W) + <G, W' − W> + (μ/2)‖W'
/// − W‖² >= L₀(W) − ‖G‖²/(2μ), so ‖G‖² >= 2μ(L₀(W) − inf over the set). |W_ij| <= r is such a set, it lies in
/// the ball ‖W‖₁ <= q r, and a bound-constrained Newton method can handle it.
///
/// Throws bad_input for the squared loss (LeastSquaresReference has its optimum) and a box that is not
/// positive; throws failure if no error bound at the tolerance is found, as for data that are separable in
/// part: their infimum is not attained either.
[[nodiscard]] ConvexOptimum solve_convex_optimum(ShallowLoss& loss,
                                                 const ConvexOptimumSettings& settings = {});

/// Collective. Lets PETSc read the options of the solver of solve_convex_optimum early, as consult_options
/// does.
void consult_convex_optimum(MPI_Comm comm);

}  // namespace theory
}  // namespace poise
