#pragma once

#include <memory>
#include <string>
#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise/model/equilibrium_map.hpp"
#include "poise/model/pointwise.hpp"
#include "poise/objective/sample_objective.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/solve/adjoint_solver.hpp"
#include "poise/solve/equilibrium_solver.hpp"

namespace poise {
inline namespace objective {

/// Remembers blocks of states of the training samples (equilibria, adjoints) at the last parameters for which
/// they were solved, and predicts the states at new parameters by polynomial extrapolation along the path of
/// the parameters. Positions on the path are measured in θ, so that uneven steps, stages of an integrator and
/// repeated parameters are all handled. A prediction only saves work: the tolerance of a solve does not
/// depend on its start, so that a prediction changes results by no more than the solvers' tolerances. Memory:
/// points x blocks x rows x samples numbers, and `points` copies of θ.
class WarmStart {
 public:
  /// `rows` x `samples`: a block on this rank. `points`: the largest number of remembered sets of parameters,
  /// 1 to 3.
  WarmStart(Index rows, Index samples, std::size_t blocks, std::size_t points);

  /// Collective on θ's communicator. Call it before a pass over all samples, or (`minibatch`) over some
  /// samples. In a minibatch the prediction for a sample is its last solution, however old.
  void begin(Vec theta, bool minibatch);
  /// Predicts the columns of p samples; returns false if one of these samples has no remembered state. Not
  /// collective.
  bool predict(std::size_t block, const Index* samples, Index p, double* out) const;
  /// Remembers the columns of p samples; overwrites what `predict` reads, so call `predict` for a sample
  /// first. Not collective.
  void record(std::size_t block, const Index* samples, Index p, const double* in);
  /// Not collective. Call it after a pass that succeeded: only then the states of the pass are used.
  void end();
  /// Not collective. Forgets everything.
  void clear();
  /// Bytes on this rank.
  [[nodiscard]] double bytes() const;

 private:
  struct Point {
    VecHandle theta;
    std::vector<std::vector<double>> blocks;
    double weight = 0.0;
  };
  void choose_weights(Vec theta);
  [[nodiscard]] const Point& point(std::size_t age) const {
    return points_[(newest_ + points_.size() - age) % points_.size()];
  }
  [[nodiscard]] Point& point(std::size_t age) {
    return points_[(newest_ + points_.size() - age) % points_.size()];
  }

  Index rows_, samples_;
  std::vector<Point> points_;
  std::vector<std::vector<char>> known_;  // per block and sample: whether a minibatch has solved for it
  std::size_t newest_ = 0;                // index into the ring points_
  std::size_t held_ = 0;                  // points that hold all samples
  std::size_t used_ = 0;                  // points of them in the prediction
  bool minibatch_ = false, open_ = false;
};

struct EquilibriumSettings {
  Index panel =
      0;  ///< largest number of samples solved at once (-eq_panel); 0: EquilibriumObjective::default_panel
  double rtol = 1e-12;  ///< default of -eq_snes_rtol, and of -adj_ksp_rtol unless that is given
  bool warm_start =
      false;          ///< equilibria and adjoints start from earlier ones of the same samples (-warm_start)
  Index samples = 0;  ///< samples of a rank solved for at one set of parameters; 0: all its training samples
  Backward backward = {};        ///< exact, or an inexact gradient
  double jacobian_weight = 0.0;  ///< factor of the penalty weight · s Σ_i ‖J_iᵀε_i‖²/m (-jacobian_weight)
  std::uint64_t seed = 0;        ///< seed of the probes ε_i
};

/// Loss and gradient by solving for the equilibrium and the adjoint of every sample (THEORY.md 3.2): works
/// for every EquilibriumMap. Samples go through in panels of columns whose working set stays in cache.
/// `-objective equilibrium`.
///
/// Jacobian regularisation (Bai, Koltun & Kolter 2021): the penalty estimates s Σ_i ‖∂h/∂z‖²_F/m by
/// Hutchinson's method with one fixed probe ε_i = ±1 per sample. Its gradient is the total derivative,
/// through the equilibrium too. It needs a pointwise model.
class EquilibriumObjective final : public SampleObjective {
 public:
  /// Collective on the world. `layout`, `map` and `problem` must outlive it.
  EquilibriumObjective(const ParameterLayout& layout, EquilibriumMap& map, const Problem& problem,
                       const EquilibriumSettings& settings);
  EquilibriumObjective(const ParameterLayout& layout, EquilibriumMap& map, const Problem& problem,
                       Index panel, double rtol = 1e-12)
      : EquilibriumObjective(layout, map, problem, EquilibriumSettings{.panel = panel, .rtol = rtol}) {}
  /// Samples per panel with a working set that stays in cache, for blocks of `rows` rows; a Krylov basis
  /// (`krylov`) needs more memory.
  [[nodiscard]] static Index default_panel(Index rows, bool krylov = false);
  void forget() override;

  /// For the run file: "exact", or the kind of the inexact gradient.
  [[nodiscard]] std::string gradient_label() const;
  /// Bytes on this rank for warm starts.
  [[nodiscard]] double warm_bytes() const { return warm_ ? warm_->bytes() : 0.0; }
  /// Columns multiplied by matrices that belong to the solvers; the map counts its products itself.
  [[nodiscard]] Index columns_multiplied() const { return equilibrium_->columns_multiplied(); }
  [[nodiscard]] const EquilibriumSolver& equilibrium() const { return *equilibrium_; }
  [[nodiscard]] const AdjointSolver& adjoint() const { return *adjoint_; }

 private:
  enum Block : std::size_t { states, adjoints };
  void load_network(Vec theta) override;
  void clear_network_gradient() override { map_.clear_gradient(); }
  void write_network_gradient(Vec gradient) override { map_.write_gradient(gradient); }
  void forward(Panel& panel, bool with_gradient, Evaluation& result) override;
  void backward(Panel& panel, Evaluation& result) override;
  [[nodiscard]] bool solved(Index column) const override { return equilibrium_->solved(column); }
  [[nodiscard]] double residual(Index column) const override { return equilibrium_->residual(column); }
  void begin_pass(Vec theta, const Batch& batch) override;
  void end_pass(Evaluation& result) override;
  static void merge(Outcome outcome, const Panel& panel, Outcome& into);
  void add_penalty(Panel& panel, Evaluation& result);

  EquilibriumMap& map_;
  EquilibriumSettings settings_;
  Pointwise* pointwise_ = nullptr;  // the map, where the penalty needs it
  std::unique_ptr<EquilibriumSolver> equilibrium_;
  std::unique_ptr<AdjointSolver> adjoint_;
  std::unique_ptr<WarmStart> warm_;
  std::vector<double> injection_, slopes_, lambda_, memory_;
  std::vector<double> probe_, image_, delta_;  // work arrays of the penalty
};

}  // namespace objective
}  // namespace poise
