#pragma once

#include <string>

#include "poise/theory/spectral_solvers.hpp"

namespace poise {

/// The numerical range F(W) = {x*Wx : ‖x‖₂ = 1, x complex}, a convex set that holds the eigenvalues. For a
/// normal matrix it is their convex hull; where it reaches much farther, eigenvalues mislead.
struct NumericalRange {
  double abscissa = 0.0;           ///< ω(W) = max Re F(W) = λ_max((W + Wᵀ)/2)
  double abscissa_residual = 0.0;  ///< of that eigenvalue
  /// r(W) = max |F(W)| lies in [radius_low, radius_high]; ‖W‖₂/2 <= r <= ‖W‖₂ and ‖W^k‖₂ <= 2 r^k.
  double radius_low = 0.0, radius_high = 0.0;
  Index angles = 0;  ///< support lines that were computed
  Index products = 0;
};

struct NumericalRangeSettings {
  double tolerance = 2e-3;  ///< of (radius_high − radius_low) / radius_high
  Index angles = 48;        ///< at most
  std::string prefix = "spec_range_";
};

/// Collective. ω(W) and a bracket of r(W) (C. R. Johnson, SIAM J. Numer. Anal. 15, 1978). A support line of
/// F(W) is h(θ) = λ_max of the Hermitian part of e^{iθ}W, by Krylov-Schur on its real form of size 2m; the
/// point x*Wx where it touches is a lower bound of r, the polygon that all lines enclose an upper one. The
/// interval of θ whose corner is farthest out is halved until the bracket is narrow enough or the angles are
/// used up: the bracket holds in either case. W is real, so θ from 0 to π is enough. Errors: see
/// largest_eigenvalue.
[[nodiscard]] NumericalRange numerical_range(const RowBlockMatrix& weights,
                                             const NumericalRangeSettings& settings);

}  // namespace poise
