#pragma once

#include <vector>

#include "poise/model/parameter_layout.hpp"

namespace poise::compare {

// W (q x m, column-major) of f = W φ(x) for the linear models. Parameters are all rows of θ, row-major, as
// `gather_rows` gives them. Not collective but where it says so.

/// Collective on the world. Row-major slices (slice().size() x columns) of all ranks: m x columns, on every
/// rank.
[[nodiscard]] std::vector<double> gather_rows(const ParameterLayout& layout, const double* slice,
                                              Index columns);
/// Collective on the world. All rows of θ, m x row_length, on every rank.
[[nodiscard]] std::vector<double> gather_parameters(const ParameterLayout& layout, Vec theta);

/// Readout B: q x m.
[[nodiscard]] std::vector<double> readout_of(const ParameterLayout& layout, const std::vector<double>& rows);
/// THEORY.md 2.4 for 2.1: W_H = B Σ_{l<H} (γS)^l, S = σ(A). The truncation of W = B U⁻¹, with W − W_H =
/// γ^H W S^H.
[[nodiscard]] std::vector<double> unrolled_weight(const ParameterLayout& layout,
                                                  const std::vector<double>& rows, double gamma, Index depth);
/// W = B W_H … W_1 of a feedforward network without activations and biases, on `features` features.
[[nodiscard]] std::vector<double> feedforward_weight(const ParameterLayout& layout,
                                                     const std::vector<double>& rows, Index depth);

/// Columns of B in θ := W (q x m). Other entries stay.
void set_readout(const ParameterLayout& layout, const std::vector<double>& w, Vec theta);
/// A block of θ := the identity (its entries (i, i) for all of its columns).
void set_identity(const ParameterLayout& layout, const ParameterBlock& block, Vec theta);

}  // namespace poise::compare
