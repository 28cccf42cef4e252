#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "poise/model/equilibrium_map.hpp"
#include "poise/solve/iterations.hpp"
#include "poise/solve/mean_field.hpp"
#include "poise/solve/outcome.hpp"
#include "poise/solve/panel_snes.hpp"
#include "poise/solve/splittings.hpp"

namespace poise {

/// Finds the equilibria z* = h(z*) of a panel of samples, options prefix `eq_`. Converged when ‖z − h(z)‖ ≤
/// eq_snes_rtol ‖h(z)‖ + eq_snes_atol for EVERY sample (not relative to the start: only so can a good start
/// save work); the true residual of every sample is computed at the end.
///
/// -eq_snes_type: `meanfield` (default where its factorisation pays, see `default_type`), `picard`,
/// `forwardbackward` and `peacemanrachford` (step -eq_alpha; default 1, forwardbackward: from the margin of
/// monotonicity) iterate every sample by itself and let finished ones leave; PETSc's types (`newtonls`,
/// `anderson`, `ngmres`, `qn`, …) solve a panel as one system.
///
/// Where samples fail a ladder follows (-eq_ladder): after meanfield the same with Anderson mixing of every
/// sample's own iterates; then Newton's method with backtracking and GMRES (prefix eq_newton_); then Anderson
/// mixing of the panel (prefix eq_anderson_), each from the injection. A default picard or meanfield hands
/// slow samples on early; a picard that was asked for by name does not.
///
/// -eq_float32: products of the mean-field iterations, also of the adjoints, are in single precision while
/// residuals are far above its rounding; residuals are judged in double precision, and the Outcome's reason
/// says so.
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
  struct Memory {
    double* block = nullptr;  ///< null: start cold, leave nothing
    bool warm = false;        ///< it holds something from an earlier solve of these samples
  };
  /// Collective. `injection` and `z`: m_f x p, p at most the columns of a panel. `z`: the start on entry, if
  /// there is no memory (meanfield then starts from y = 0); the equilibria on return; `slopes` (slope_rows x
  /// p) where the map is linearised there. A failed solve is reported in the Outcome: call `require`.
  Outcome solve(Index p, const double* injection, double* z, double* slopes, Memory memory);
  Outcome solve(Index p, const double* injection, double* z, double* slopes) {
    return solve(p, injection, z, slopes, Memory());
  }

  /// The default of -eq_snes_type for a map that is solved for so many samples of a rank at one set of
  /// parameters: meanfield where it pays, else newtonls with GMRES for a linear map and picard for others.
  [[nodiscard]] static std::string default_type(const EquilibriumMap& map, Index samples);
  [[nodiscard]] double rtol() const { return main_->rtol(); }
  [[nodiscard]] const std::string& type() const { return type_; }
  /// The mean field that adjoints may share; null where the map has none.
  [[nodiscard]] const std::shared_ptr<MeanField>& mean_field() const { return mean_; }
  /// Columns multiplied by matrices other than the weights so far.
  [[nodiscard]] Index columns_multiplied() const { return mean_ ? mean_->columns_multiplied() : 0; }

 private:
  void make_iteration();
  [[nodiscard]] double forward_backward_step();
  void choose_type(Index columns, double default_rtol, Index samples);
  void update_mean_field(Index p, const double* injection, const Memory& memory);
  /// One run of the chosen solver; columns that failed are found by `verify`.
  Outcome first_attempt(Index p, const double* injection, double* z, const Memory& memory);
  void declare_ladder();
  /// Whether the solver has left h at the solution in its image().
  [[nodiscard]] bool image_is_known(const Outcome& outcome) const;
  /// True residuals of all columns into residuals_ (over what is allowed); slopes; columns that failed.
  std::vector<Index> verify(Index p, const double* injection, double* z, double* slopes, Outcome& outcome);
  /// The ladder; returns what no rung has solved.
  std::vector<Index> climb(std::vector<Index> left, Index p, const double* injection, double* z,
                           double* slopes, Outcome& outcome);
  /// The mean-field iteration with mixing on the samples in left_injection_; into left_z_.
  std::string mix(Index p, Outcome& outcome);
  /// The same by a PanelSnes.
  std::string run_rung(const PanelSnes::Defaults& defaults, Index p, Outcome& outcome);
  [[nodiscard]] Index rung_width(Index p) const;
  /// W z of the columns that the ladder solved, into the memory.
  void remember(const std::vector<Index>& left, const double* z, double* memory, Outcome& outcome);
  PanelSnes& rung(const PanelSnes::Defaults& defaults, Index p);

  MPI_Comm comm_;
  const EquilibriumMap& map_;
  Index columns_;
  std::shared_ptr<MeanField> mean_;
  std::unique_ptr<PanelSnes> main_;
  std::string type_;
  bool ladder_ = true;
  bool patient_ = false;  // the type was asked for by name: it is not given up early
  std::unique_ptr<PicardIteration> picard_;
  std::unique_ptr<MeanFieldIteration> mean_iteration_;
  std::unique_ptr<ForwardBackwardIteration> forward_backward_;
  std::unique_ptr<PeacemanRachfordIteration> peaceman_rachford_;
  double alpha_ = 0.0;                                          // of the splittings; 0: from the margin
  std::map<Index, std::unique_ptr<MeanFieldIteration>> mixed_;  // by width, as are the rungs
  std::map<std::pair<std::string, Index>, std::unique_ptr<PanelSnes>> rungs_;
  std::vector<double> h_, y_, norms_, slope_sum_, left_injection_, left_z_, left_y_;
};

}  // namespace poise
