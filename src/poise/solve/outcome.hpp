#pragma once

#include <mpi.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "poise/base/process_grid.hpp"

namespace poise {
inline namespace solve {

/// What a solve did. Every solve returns an Outcome, and `require` turns a failed Outcome into an error: a
/// failed solve never becomes a number.
struct [[nodiscard]] Outcome {
  std::string solve;   ///< which solve ("equilibrium (eq_)")
  std::string reason;  ///< why it stopped, as PETSc names it
  bool converged = false;
  Index iterations = 0;     ///< linear iterations if the solver has them; the largest number of all panels
  Index products = 0;       ///< products of the weights with a panel
  double residual = 0.0;    ///< relative true residual of the worst sample (see the solver)
  Index fallbacks = 0;      ///< number of samples that were left to the ladder of other solvers
  Index worst_sample = -1;  ///< index of the worst sample on this rank
  Index panel = -1;         ///< index on this rank of the worst sample's panel; -1: there is only one panel
  std::string place = {};   ///< the worst sample in words, where its index alone says little

  /// Whether nothing has failed: true also for a network without solves.
  [[nodiscard]] bool usable() const { return converged || solve.empty(); }

  /// Joins the outcome of another panel, whose first column is sample `first` of this rank, to this one; the
  /// worse residual counts.
  void merge(const Outcome& other, Index first) {
    if (reason.empty() || !other.converged) reason = other.reason;
    converged = other.converged && (converged || solve.empty());
    solve = other.solve;
    iterations = std::max(iterations, other.iterations);
    products += other.products;
    fallbacks += other.fallbacks;
    if (!std::isnan(residual) && !(other.residual < residual)) {  // a NaN stays the worst
      residual = other.residual;
      worst_sample = first + other.worst_sample;
      panel = other.panel;
      place = other.place;
    }
  }
};

/// Throws failure, which names the solve, the reason and the residual, if the solve did not converge. All
/// ranks of the solve throw; `world`: whether these are all ranks of the program.
const Outcome& require(const Outcome& outcome, bool world = false);

/// Collective on `comm`, for solves that differ between ranks. Throws as `require` does, but on all ranks, if
/// the solve of any rank failed. Else iterations and residual become the largest of all ranks, and fallbacks
/// their sum. A rank that had nothing to solve passes a default Outcome.
void require_on_all(MPI_Comm comm, Outcome& outcome);

/// Collective on `comm`. The 2-norms of p columns whose rows are distributed over `comm` (local rows x p,
/// column-major), into norms[0..p).
void column_norms(MPI_Comm comm, Index rows, Index p, const double* x, double* norms);

}  // namespace solve
}  // namespace poise
