#pragma once

#include <vector>

#include "poise/linalg/row_block_matrix.hpp"
#include "poise/model/parameter_layout.hpp"
#include "poise/objective/objective.hpp"

namespace poise {
inline namespace objective {

/// The triangle of a QR factorisation [Φᵀ Yᵀ] = Q R of the samples, R = [R₁ T; 0 R₂]: all that the squared
/// loss needs to know of the samples (THEORY.md 3.1, 5.2),
///   ‖WΦ − Y‖² = ‖R₁Wᵀ − T‖² + ‖R₂‖²,   ΦΦᵀ = R₁ᵀR₁,   YΦᵀ = TᵀR₁.
/// A loss computed from R is a sum of squares: it is never negative, and it loses no digits if the targets
/// are much larger than the residuals. R₁ has the singular values of Φ. Its Gram matrix has their squares,
/// and rounding hides there every singular value below √ε times the largest.
struct TriangularFactor {
  RowBlockMatrix r;             ///< R₁, m x m, rows over the world in the slices of the layout
  std::vector<double> targets;  ///< T: slice rows x q, column-major
  double rest_norm2 = 0.0;  ///< ‖R₂‖², the smallest ‖WΦ − Y‖² of any W if R₁ is not singular
  double targets_norm2 = 0.0;  ///< ‖Y‖²
};

/// Collective on the world. Householder QR of the samples, one panel at a time, and a tree over the ranks: 2
/// n (m + q)² operations over all ranks, and (m + q)² numbers on each rank during the factorisation. With
/// class weights, column i of Φ and Y is multiplied by √ω_i. Throws failure if Φ or Y hold NaN or Inf.
[[nodiscard]] TriangularFactor triangular_factor(const ParameterLayout& layout, const SampleSet& samples);

/// Collective on the world. R₁ alone, of Φ diag(√ω): `weights`: samples.count numbers >= 0, equal on the
/// ranks of grid.feature(); if null, the weights of the samples.
[[nodiscard]] RowBlockMatrix feature_factor(const ParameterLayout& layout, const SampleSet& samples,
                                            const std::vector<double>* weights = nullptr);

}  // namespace objective
}  // namespace poise
