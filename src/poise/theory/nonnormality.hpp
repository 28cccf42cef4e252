#pragma once

#include <complex>
#include <string>
#include <vector>

#include "poise/theory/spectral_solvers.hpp"

namespace poise {
inline namespace theory {

/// The numerical range F(W) = {x*Wx : ‖x‖₂ = 1, x complex}, a convex set that contains the eigenvalues. For a
/// normal matrix it is their convex hull; if it extends much farther, the eigenvalues are misleading.
struct NumericalRange {
  double abscissa = 0.0;           ///< ω(W) = max Re F(W) = λ_max((W + Wᵀ)/2)
  double abscissa_residual = 0.0;  ///< residual of this eigenvalue
  /// r(W) = max |F(W)| lies in [radius_low, radius_high]; ‖W‖₂/2 <= r <= ‖W‖₂ and ‖W^k‖₂ <= 2 r^k.
  double radius_low = 0.0, radius_high = 0.0;
  Index angles = 0;  ///< number of computed support lines
  Index products = 0;
};

struct NumericalRangeSettings {
  double tolerance = 2e-3;  ///< largest (radius_high − radius_low) / radius_high
  Index angles = 48;        ///< largest number of support lines
  std::string prefix = "spec_range_";
};

/// Collective. ω(W) and a bracket of r(W) (C. R. Johnson, SIAM J. Numer. Anal. 15, 1978). A support line of
/// F(W) is h(θ) = λ_max of the Hermitian part of e^{iθ}W, by Krylov-Schur on its real form of size 2m; |x*Wx|
/// at the point where the line touches is a lower bound of r, and the polygon inside all lines gives an upper
/// bound. The interval of θ with the farthest corner is halved until the bracket is narrow enough or the
/// angles are used up; the bracket is valid in both cases. W is real, so θ from 0 to π is enough. Errors: see
/// largest_eigenvalue.
[[nodiscard]] NumericalRange numerical_range(const RowBlockMatrix& weights,
                                             const NumericalRangeSettings& settings);

/// x ↦ (zI − W)x; for a z that is not real, in real form on blocks [Re x, Im x]. `weights` must outlive the
/// operator.
[[nodiscard]] LinearOperator shifted(const RowBlockMatrix& weights, std::complex<double> z);

/// Collective. σ_min(zI − W): the distance (2-norm) from W to the nearest matrix with the eigenvalue z, so
/// that z is in the ε-pseudospectrum for every ε above this distance. Prefixes spec_resolvent_ (EPS, and KSP
/// of the inverse).
[[nodiscard]] SpectralValue resolvent_distance(const RowBlockMatrix& weights, std::complex<double> z);

/// Stability of the iteration z ← Wz + u for ρ(W) < 1, beyond what the eigenvalues say.
struct IterationStability {
  /// d(W) = min σ_min(zI − W) over |z| = 1 lies in [distance_low, distance_high]: the size, in the 2-norm, of
  /// the smallest change of W that stops the iteration from converging. For a normal W it is 1 − ρ(W). It is
  /// also the ε for which the ε-pseudospectral radius is 1.
  double distance_low = 0.0, distance_high = 0.0;
  double angle = 0.0;  ///< arg z of distance_high
  Index points = 0;    ///< number of z at which σ_min was computed
  /// Lower bound of the Kreiss constant sup_{|z|>1} (|z| − 1)/σ_min(zI − W), and so of sup_k ‖W^k‖₂. It is 1
  /// for a contraction in the 2-norm.
  double kreiss_low = 1.0;
  Index products = 0;
};

/// Collective. `range_radius`: an upper bound of the numerical radius, which gives d(W) >= 1 − r(W). Halves
/// the arc of |z| = 1 that may hold the minimum (σ_min(zI − W) changes by no more than z does) until the
/// bracket is narrower than `tolerance` relative or `points` are used up; the bracket is valid in both cases,
/// provided that every computed σ_min is the smallest singular value. The Kreiss bound is sampled on the ray
/// through the minimum.
[[nodiscard]] IterationStability iteration_stability(const RowBlockMatrix& weights, double range_radius,
                                                     Index points, double tolerance = 0.05);

/// ‖W^k‖₂ for one k.
struct PowerNorm {
  int power = 1;
  SpectralValue norm;
};

/// Collective. ‖W^k‖₂ for k = 1, 2, 4, … up to `highest`: growth and decay of the error of the iteration z ←
/// Wz + u in k steps. Prefix spec_power_ (EPS).
[[nodiscard]] std::vector<PowerNorm> power_norms(const RowBlockMatrix& weights, int highest);

}  // namespace theory
}  // namespace poise
