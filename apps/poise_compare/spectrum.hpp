#pragma once

#include <vector>

#include "poise/base/process_grid.hpp"

namespace poise::compare {

// Measures of small dense matrices that a rank holds whole, column-major. Not collective.

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

/// ‖a‖_F. Vectors of equal length stand for matrices in all of these.
[[nodiscard]] double frobenius_norm(const std::vector<double>& a);
/// ‖a − b‖_F/‖b‖_F; NaN if b is zero.
[[nodiscard]] double relative_distance(const std::vector<double>& a, const std::vector<double>& b);
/// The same in the norm that the 1-norm of vectors induces, the largest sum of magnitudes of a column.
[[nodiscard]] double relative_distance_1(Index rows, const std::vector<double>& a,
                                         const std::vector<double>& b);
/// <a, b>/(‖a‖‖b‖); NaN if one is zero.
[[nodiscard]] double alignment(const std::vector<double>& a, const std::vector<double>& b);

/// The q x k matrix W with the least ‖W T − M‖_F, T (k x d) of full row rank, M (q x d): column-major, by
/// LAPACK. Throws failure if it fails.
[[nodiscard]] std::vector<double> solve_from_right(Index q, Index k, Index d, const std::vector<double>& t,
                                                   const std::vector<double>& m);

}  // namespace poise::compare
