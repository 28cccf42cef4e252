#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "poise/model/equilibrium_map.hpp"
#include "poise/solve/mean_field.hpp"
#include "poise/solve/outcome.hpp"
#include "poise/solve/panel_snes.hpp"

namespace poise {
inline namespace solve {

/// Finds the equilibria z* = h(z*) of a panel of samples by SNES, options prefix `eq_`. The solve has
/// converged when ‖z − h(z)‖ ≤ eq_snes_rtol ‖h(z)‖ + eq_snes_atol for every sample. The test is not relative
/// to the start, so that a good start saves work. The true residual of every sample is computed at the end.
///
/// -eq_snes_type: `meanfield` (default where its factorisation pays, see `default_type`), `perron`, `picard`,
/// `forwardbackward` and `peacemanrachford` (step -eq_alpha; default 1, forwardbackward: from the margin of
/// monotonicity) iterate every sample by itself and let finished ones leave; PETSc's types (`newtonls`,
/// `anderson`, `ngmres`, `qn`, `composite`, …) solve a panel as one system.
///
/// Samples that fail go up a ladder of other SNES (-eq_ladder), which start from the injection: first, after
/// meanfield and perron, the same iteration with Anderson mixing of every sample's own iterates (prefix
/// eq_mixed_); then Newton's method with backtracking and GMRES (eq_newton_); then Anderson mixing of the
/// panel (eq_anderson_). meanfield, perron and a default picard pass slow samples on early; all other types
/// that the user chose by name do not.
///
/// -eq_float32 (default true): if one rank holds all weights, the products of the mean-field iterations, also
/// for the adjoints, are in single precision while residuals are far above its rounding. Residuals are judged
/// in double precision. The Outcome's reason tells whether single precision was used.
class EquilibriumSolver {
 public:
  /// Collective on `comm` (grid.feature()). `map` must outlive the solver; a panel has at most `columns`
  /// columns. `default_rtol`: the default of -eq_snes_rtol. `samples`: how many samples this rank solves for
  /// per set of parameters; 0: as many as columns.
  EquilibriumSolver(MPI_Comm comm, const EquilibriumMap& map, Index columns, double default_rtol = 1e-12,
                    Index samples = 0);
  EquilibriumSolver(const EquilibriumSolver&) = delete;  // PETSc holds pointers to this object
  EquilibriumSolver& operator=(const EquilibriumSolver&) = delete;

  /// Not collective. Call this when the map has got different parameters.
  void parameters_changed();

  /// What `solve` starts from and stores for the next solve: m_f x p.
  using Memory = PanelSnes::Memory;
  /// Collective. `injection` and `z`: m_f x p, p at most the columns of a panel. `z`: the start on entry, if
  /// there is no memory (meanfield then starts from y = 0); the equilibria on return. `slopes` (slope_rows x
  /// p): the linearisation at the equilibria, on return. If the solve fails, the Outcome says so: call
  /// `require`.
  Outcome solve(Index p, const double* injection, double* z, double* slopes, Memory memory);
  Outcome solve(Index p, const double* injection, double* z, double* slopes) {
    return solve(p, injection, z, slopes, Memory());
  }

  /// Of column c in the last `solve`: whether it has converged, and its residual relative to ‖h(z)‖.
  [[nodiscard]] bool solved(Index c) const { return solved_[static_cast<std::size_t>(c)] != 0; }
  [[nodiscard]] double residual(Index c) const { return residuals_[static_cast<std::size_t>(c)]; }

  /// The default of -eq_snes_type for a map that is solved for this many samples per rank and set of
  /// parameters: meanfield if it pays off; else newtonls with GMRES for a linear map, perron for softmax
  /// weights, picard for all other maps.
  [[nodiscard]] static std::string default_type(const EquilibriumMap& map, Index samples);
  [[nodiscard]] double rtol() const { return main_->rtol(); }
  [[nodiscard]] const std::string& type() const { return main_->type(); }
  [[nodiscard]] SNES snes() const { return main_->snes(); }
  /// The mean field, which adjoints may share; null if the map has none.
  [[nodiscard]] const std::shared_ptr<MeanField>& mean_field() const { return mean_; }
  /// How many columns matrices other than the weights have multiplied so far.
  [[nodiscard]] Index columns_multiplied() const { return mean_ ? mean_->columns_multiplied() : 0; }

 private:
  [[nodiscard]] std::vector<PanelSnes::Defaults> ladder() const;
  /// The SNES of a rung for p samples. One SNES is made per width, which is a power of 2 or `columns_`.
  PanelSnes& rung(const PanelSnes::Defaults& defaults, Index p);
  /// Solves the samples `left` by the ladder; returns the samples that no rung has solved.
  std::vector<Index> climb(std::vector<Index> left, const double* injection, double* z, double* slopes,
                           Outcome& outcome);
  /// Copies the rung's results for the samples `left` to `z` and `slopes`; returns the samples that it did
  /// not solve.
  std::vector<Index> take(const PanelSnes& rung, const std::vector<Index>& left, double* z, double* slopes);
  /// Writes the states (for meanfield Wz) of the samples `left`, which the ladder took, into the memory.
  void remember(const std::vector<Index>& left, const double* z, double* memory, Outcome& outcome);
  /// Sets residual, worst sample and convergence of the Outcome from all p samples.
  void judge(Index p, bool converged, Outcome& outcome) const;

  MPI_Comm comm_;
  const EquilibriumMap& map_;
  Index columns_;
  std::shared_ptr<MeanField> mean_;
  std::unique_ptr<PanelSnes> main_;
  bool ladder_ = true;
  std::map<std::pair<std::string, Index>, std::unique_ptr<PanelSnes>> rungs_;
  std::vector<double> residuals_, left_injection_, left_z_, left_slopes_;
  std::vector<char> solved_;
};

}  // namespace solve
}  // namespace poise
