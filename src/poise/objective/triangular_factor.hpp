#pragma once

#include <vector>

#include "poise/linalg/row_block_matrix.hpp"
#include "poise/model/parameter_layout.hpp"
#include "poise/objective/objective.hpp"

namespace poise {

/// The triangle of a QR factorisation [Φᵀ Yᵀ] = Q R of the samples, R = [R₁ T; 0 R₂]: all that the squared
/// loss needs of them (THEORY.md 3.1, 5.2),
///   ‖WΦ − Y‖² = ‖R₁Wᵀ − T‖² + ‖R₂‖²,   ΦΦᵀ = R₁ᵀR₁,   YΦᵀ = TᵀR₁.
/// A loss from it is a sum of squares: it is never negative, and loses no digits where the targets are large
/// beside the residuals. R₁ has the singular values of Φ; its Gram matrix has their squares, in which those
/// below √ε of the largest drown.
struct TriangularFactor {
  RowBlockMatrix r;             ///< R₁, m x m, rows over the world in the slices of the layout
  std::vector<double> targets;  ///< T: slice rows x q, column-major
  double rest_norm2 = 0.0;      ///< ‖R₂‖²: what no W takes from the targets, if R₁ is not singular
  double targets_norm2 = 0.0;   ///< ‖Y‖²
};

/// Collective on the world. Householder QR of the samples, a panel at a time, and a tree over the ranks: 2 n
/// (m + q)² work over all ranks, and (m + q)² numbers on each while it goes on. With class weights, column i
/// of Φ and Y is multiplied by √ω_i. Throws failure if Φ or Y hold NaN or Inf.
[[nodiscard]] TriangularFactor triangular_factor(const ParameterLayout& layout, const SampleSet& samples);

/// Collective on the world. R₁ alone, of Φ diag(√ω): `weights` are samples.count numbers >= 0, equal on the
/// ranks of grid.feature(); null: the samples' own.
[[nodiscard]] RowBlockMatrix feature_factor(const ParameterLayout& layout, const SampleSet& samples,
                                            const std::vector<double>* weights = nullptr);

}  // namespace poise
