#pragma once

#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise/model/parameter_layout.hpp"

namespace poise::compare {

// W (q x m, column-major) of the linear models f = W φ(x). `rows`: all rows of θ, row-major, from
// `gather_parameters`. Not collective unless a comment says so.

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

// Measures of small dense matrices, column-major; each rank has the whole matrix. Not collective.

/// Singular values, descending, by LAPACK. Throws failure if it fails or the matrix is not finite.
[[nodiscard]] std::vector<double> singular_values(Index rows, Index columns, std::vector<double> matrix);

struct Spectrum {
  double frobenius = 0.0;
  double nuclear = 0.0;  ///< Σ σ_i
  double effective_rank =
      0.0;  ///< exp of the entropy of σ_i/Σσ (Roy and Vetterli, EUSIPCO 2007); from 1 to the rank
  double stable_rank = 0.0;  ///< ‖W‖_F²/‖W‖₂², at most the rank
};
/// From singular values in descending order. The ranks of a zero matrix are NaN.
[[nodiscard]] Spectrum spectrum_of(const std::vector<double>& singular_values);

/// ‖a‖_F. Here and below, a vector holds the entries of a matrix; both have the same length.
[[nodiscard]] double frobenius_norm(const std::vector<double>& a);
/// ‖a − b‖_F/‖b‖_F; NaN if b is zero.
[[nodiscard]] double relative_distance(const std::vector<double>& a, const std::vector<double>& b);
/// The relative distance in the norm induced by the 1-norm: the largest column sum of magnitudes.
[[nodiscard]] double relative_distance_1(Index rows, const std::vector<double>& a,
                                         const std::vector<double>& b);
/// <a, b>/(‖a‖‖b‖); NaN if one is zero.
[[nodiscard]] double alignment(const std::vector<double>& a, const std::vector<double>& b);

/// The q x k matrix W with the least ‖W T − M‖_F, T (k x d) of full row rank, M (q x d): column-major, by
/// LAPACK. Throws failure if it fails.
[[nodiscard]] std::vector<double> solve_from_right(Index q, Index k, Index d, const std::vector<double>& t,
                                                   const std::vector<double>& m);

}  // namespace poise::compare
