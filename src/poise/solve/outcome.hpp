#pragma once

#include <mpi.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "poise/base/error.hpp"
#include "poise/base/options.hpp"
#include "poise/base/process_grid.hpp"

namespace poise {

/// What a solve did; every solve returns one and `require` turns a failed one into an error, never into a
/// number.
struct [[nodiscard]] Outcome {
  std::string solve;   ///< which solve ("equilibrium (eq_)")
  std::string reason;  ///< PETSc's name of why it stopped
  bool converged = false;
  Index iterations = 0;     ///< linear ones where the solver has them; the largest of the panels
  Index products = 0;       ///< products with the weights, a panel each
  double residual = 0.0;    ///< true residual of the worst sample, relative (see the solver)
  Index fallbacks = 0;      ///< samples that another solver of the ladder had to solve
  Index worst_sample = -1;  ///< the column it belongs to, counted on this rank
  Index panel = -1;         ///< the panel it is in, counted on this rank; -1: there is only one

  /// Whether it is no failure: a network without solves has nothing that could fail.
  [[nodiscard]] bool usable() const { return converged || solve.empty(); }

  /// Joins the outcome of another panel, whose first column is sample `first` of this rank: the worst of
  /// both.
  void merge(const Outcome& other, Index first) {
    if (reason.empty() || !other.converged) reason = other.reason;
    converged = other.converged && (converged || solve.empty());
    solve = other.solve;
    iterations = std::max(iterations, other.iterations);
    products += other.products;
    fallbacks += other.fallbacks;
    if (!std::isnan(residual) && !(other.residual < residual)) {  // a NaN wins and stays
      residual = other.residual;
      worst_sample = first + other.worst_sample;
      panel = other.panel;
    }
  }
};

/// Throws failure with the solve, reason and residual if the solve did not converge. All ranks of the solve
/// throw; `world` says that these are all ranks.
inline const Outcome& require(const Outcome& outcome, bool world = false) {
  if (outcome.converged) [[likely]]
    return outcome;
  throw Error(ExitCode::failed,
              "the " + outcome.solve + " solve failed: " + outcome.reason + " after " +
                  std::to_string(outcome.iterations) + " iterations, relative residual " +
                  to_text(outcome.residual) + " (worst sample " + std::to_string(outcome.worst_sample) +
                  " of this rank" + (outcome.panel < 0 ? "" : ", in panel " + std::to_string(outcome.panel)) +
                  "); allow more iterations, loosen the tolerance, or choose another solver by "
                  "its prefix",
              world);
}

/// Collective on `comm`. Where some ranks solved what others did not: throws on all ranks, as `require` does,
/// if any solve failed; else iterations and residual become the largest of all ranks. A rank that had nothing
/// to solve passes a new Outcome.
void require_on_all(MPI_Comm comm, Outcome& outcome);

}  // namespace poise
