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

/// Finds the equilibria z* = h(z*) of a panel of samples by SNES, options prefix `eq_`. Converged when ‖z −
/// h(z)‖ ≤ eq_snes_rtol ‖h(z)‖ + eq_snes_atol for EVERY sample (not relative to the start: only so can a good
/// start save work); the true residual of every sample is computed at the end.
///
/// -eq_snes_type: `meanfield` (default where its factorisation pays, see `default_type`), `perron`, `picard`,
/// `forwardbackward` and `peacemanrachford` (step -eq_alpha; default 1, forwardbackward: from the margin of
/// monotonicity) iterate every sample by itself and let finished ones leave; PETSc's types (`newtonls`,
/// `anderson`, `ngmres`, `qn`, `composite`, …) solve a panel as one system.
///
/// Where samples fail a ladder of SNES follows (-eq_ladder), each from the injection: after meanfield and
/// perron the same with Anderson mixing of every sample's own iterates (prefix eq_mixed_); then Newton's
/// method with backtracking and GMRES (eq_newton_); then Anderson mixing of the panel (eq_anderson_).
/// meanfield, perron and a default picard hand slow samples on early; other types that were asked for by name
/// do not.
///
/// -eq_float32 (default true): products of the mean-field iterations, also of the adjoints, are in single
/// precision while residuals are far above its rounding, where one rank holds all weights; residuals are
/// judged in double precision, and the Outcome's reason says so.
class EquilibriumSolver {
 public:
  /// Collective on `comm` (grid.feature()). `map` must outlive the solver; at most `columns` columns a panel.
  /// `default_rtol`: of -eq_snes_rtol. `samples`: that this rank solves for at one set of parameters; 0:
  /// columns.
  EquilibriumSolver(MPI_Comm comm, const EquilibriumMap& map, Index columns, double default_rtol = 1e-12,
                    Index samples = 0);
  EquilibriumSolver(const EquilibriumSolver&) = delete;  // PETSc holds pointers to it
  EquilibriumSolver& operator=(const EquilibriumSolver&) = delete;

  /// Not collective. To be called when the map has taken other parameters.
  void parameters_changed();

  /// What `solve` starts from and leaves behind for the next time: m_f x p.
  using Memory = PanelSnes::Memory;
  /// Collective. `injection` and `z`: m_f x p, p at most the columns of a panel. `z`: the start on entry, if
  /// there is no memory (meanfield then starts from y = 0); the equilibria on return; `slopes` (slope_rows x
  /// p) where the map is linearised there. A failed solve is reported in the Outcome: call `require`.
  Outcome solve(Index p, const double* injection, double* z, double* slopes, Memory memory);
  Outcome solve(Index p, const double* injection, double* z, double* slopes) {
    return solve(p, injection, z, slopes, Memory());
  }

  /// The default of -eq_snes_type for a map that is solved for so many samples of a rank at one set of
  /// parameters: meanfield where it pays, else newtonls with GMRES for a linear map, perron for softmax
  /// weights and picard for others.
  [[nodiscard]] static std::string default_type(const EquilibriumMap& map, Index samples);
  [[nodiscard]] double rtol() const { return main_->rtol(); }
  [[nodiscard]] const std::string& type() const { return main_->type(); }
  [[nodiscard]] SNES snes() const { return main_->snes(); }
  /// The mean field that adjoints may share; null where the map has none.
  [[nodiscard]] const std::shared_ptr<MeanField>& mean_field() const { return mean_; }
  /// Columns multiplied by matrices other than the weights so far.
  [[nodiscard]] Index columns_multiplied() const { return mean_ ? mean_->columns_multiplied() : 0; }

 private:
  [[nodiscard]] std::vector<PanelSnes::Defaults> ladder() const;
  /// The SNES of a rung for p samples; made once a width, which is a power of 2.
  PanelSnes& rung(const PanelSnes::Defaults& defaults, Index p);
  /// The ladder on the samples `left`; returns the samples that no rung has solved.
  std::vector<Index> climb(std::vector<Index> left, const double* injection, double* z, double* slopes,
                           Outcome& outcome);
  /// Puts what the rung found for the samples `left` in its place, and returns those that it did not solve.
  std::vector<Index> take(const PanelSnes& rung, const std::vector<Index>& left, double* z, double* slopes);
  /// The states (for meanfield Wz) of the samples that the ladder solved, into the memory.
  void remember(const std::vector<Index>& left, const double* z, double* memory, Outcome& outcome);
  /// Residual, worst sample and convergence of all p samples.
  void judge(Index p, bool converged, Outcome& outcome) const;

  MPI_Comm comm_;
  const EquilibriumMap& map_;
  Index columns_;
  std::shared_ptr<MeanField> mean_;
  std::unique_ptr<PanelSnes> main_;
  bool ladder_ = true;
  std::map<std::pair<std::string, Index>, std::unique_ptr<PanelSnes>> rungs_;
  std::vector<double> residuals_, left_injection_, left_z_, left_slopes_;
};

}  // namespace poise
