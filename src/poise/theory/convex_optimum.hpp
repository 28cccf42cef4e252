#pragma once

#include <limits>
#include <string>
#include <vector>

#include "poise/objective/shallow_loss.hpp"

namespace poise {

struct ConvexOptimumSettings {
  /// The error bound of L* must be at most this a unit of loss: times 1 for the mean loss, n for the sum.
  double tolerance = 1e-12;
  /// r: the optimum over |W_ij| <= r; infinite: over all W.
  double box = std::numeric_limits<double>::infinity();
};

/// L* = inf L₀(W) of THEORY.md 5.3, with its proof.
struct ConvexOptimum {
  /// False: the data are separable, L* = 0 exactly, and no W has it.
  bool attained = true;
  double loss = 0.0;         ///< L*, or a loss above it by at most `error_bound`
  double error_bound = 0.0;  ///< proved, see OptimumCertifier; 0 where not attained
  /// What rounding can have done to `loss` as a sum. Excesses come from ClassificationReference, not from it.
  double loss_rounding = 0.0;
  double box = std::numeric_limits<double>::infinity();
  double margin = 0.0;  ///< not attained: min over samples of y's score above the others', over ‖W‖_F
  double norm = 0.0;    ///< ‖W‖_F
  double gradient_norm = 0.0;      ///< ‖∇L₀(W) − multiplier‖_F
  double gradient_rounding = 0.0;  ///< what rounding can have done to the gradient
  Index iterations = 0;            ///< of TAO
  std::vector<double> w;           ///< block of Wᵀ, slice rows x q: the optimum, or what separates the data
  std::vector<double> multiplier;  ///< the part of ∇L₀(W) that the box balances: zero without one
  [[nodiscard]] bool constrained() const { return box < std::numeric_limits<double>::infinity(); }
  /// One sentence for a report.
  [[nodiscard]] std::string statement() const;
};

/// Collective on the world. Minimises L₀ of the training samples, independently of any model, by TAO's
/// bounded trust-region Newton (bntr, prefix `optimum_`) with exact products with the Hessian, from W = 0;
/// without a box the inverse of ΦΦᵀ preconditions. Iterates until the error bound is at most the tolerance
/// and the gradient is at its rounding, or until some W classifies every sample with a positive margin:
/// scaling it then brings the loss to 0.
///
/// Why a box is the constrained set: THEORY.md 5.3 needs a convex set that holds W_t and the comparator and
/// on which the curvature is bounded below, μ say. For W and W' in it L₀(W') >= L₀(W) + <G, W' − W> +
/// (μ/2)‖W' − W‖² >= L₀(W) − ‖G‖²/(2μ), so ‖G‖² >= 2μ(L₀(W) − inf over the set). |W_ij| <= r is such a set,
/// it lies in the ball ‖W‖₁ <= q r, and it is what bound-constrained Newton takes.
///
/// Throws bad_input for the squared loss (LeastSquaresReference has its optimum) and a box that is not
/// positive; failure if no error bound at the tolerance is found, as for data that are separable in part,
/// whose infimum is not attained either.
[[nodiscard]] ConvexOptimum solve_convex_optimum(ShallowLoss& loss,
                                                 const ConvexOptimumSettings& settings = {});

/// Collective. Lets PETSc see the options of the solver that solve_convex_optimum will make, as
/// consult_options does.
void consult_convex_optimum(MPI_Comm comm);

}  // namespace poise
