#pragma once

#include <complex>
#include <string>
#include <vector>

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

/// x ↦ (zI − W)x; for z off the real axis in its real form on blocks [Re x, Im x]. `weights` must outlive it.
[[nodiscard]] LinearOperator shifted(const RowBlockMatrix& weights, std::complex<double> z);

/// Collective. σ_min(zI − W): the distance (2-norm) from W to the next matrix with the eigenvalue z, so z is
/// in the ε-pseudospectrum for every ε above it. Prefixes spec_resolvent_ (EPS, and KSP of the inverse).
[[nodiscard]] SpectralValue resolvent_distance(const RowBlockMatrix& weights, std::complex<double> z);

/// What the eigenvalues alone do not tell about the iteration z ← Wz + u, for ρ(W) < 1.
struct IterationStability {
  /// d(W) = min σ_min(zI − W) over |z| = 1 lies in [distance_low, distance_high]: the smallest change of W,
  /// in the 2-norm, by which the iteration stops to converge. For a normal W it is 1 − ρ(W). It is also the ε
  /// for which the ε-pseudospectral radius is 1.
  double distance_low = 0.0, distance_high = 0.0;
  double angle = 0.0;  ///< arg z where distance_high was found
  Index points = 0;    ///< z at which σ_min was computed
  /// Lower bound of the Kreiss constant sup_{|z|>1} (|z| − 1)/σ_min(zI − W), so of sup_k ‖W^k‖₂. 1 for a
  /// contraction in the 2-norm.
  double kreiss_low = 1.0;
  Index products = 0;
};

/// Collective. `range_radius`: an upper bound of the numerical radius, which gives d(W) >= 1 − r(W). Halves
/// the arc of |z| = 1 that may hold the minimum (σ_min(zI − W) changes by no more than z does) until the
/// bracket is narrower than `tolerance` relative or `points` are used up; the bracket holds in either case,
/// as far as each σ_min found is the smallest. The Kreiss bound is sampled on the ray through the minimum.
[[nodiscard]] IterationStability iteration_stability(const RowBlockMatrix& weights, double range_radius,
                                                     Index points, double tolerance = 0.05);

/// ‖W^k‖₂ of one k.
struct PowerNorm {
  int power = 1;
  SpectralValue norm;
};

/// Collective. ‖W^k‖₂ for k = 1, 2, 4, … up to `highest`: how the error of the iteration z ← Wz + u grows and
/// shrinks in k steps. Prefix spec_power_ (EPS).
[[nodiscard]] std::vector<PowerNorm> power_norms(const RowBlockMatrix& weights, int highest);

}  // namespace poise
