#pragma once

#include <string>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/run/settings.hpp"

namespace poise::sweep {

/// Every option of poise-sweep that is not PETSc's own. The loss is squared, whose optimum L* is known.
struct SweepSettings {
  std::string study;
  std::vector<double> widths, gammas, init_scales;  ///< of every study
  std::vector<double> step_factors;                 ///< of step_size
  std::vector<double> tolerances, terms;            ///< of inexact
  std::vector<double> depths;                       ///< of depth
  std::uint64_t seeds = 1;
  Index bisections = 0, limit_every = 1;
  double step_share = 0.5;
  double target = 1e-6;
  int member_ranks = 1;
  TrainSettings base;  ///< data, features, loss, limits and what else all members share

  /// Declares and reads them all. Throws bad_input, also where they do not go together. Not collective.
  static SweepSettings from(Options& options);

  /// One member. `width`: m with the constant feature, 0: what the data have; `seed` counts from 0.
  [[nodiscard]] TrainSettings member(double width, double gamma, double scale, double seed) const;

 private:
  void read_lists(Options& options);
  void read_study(Options& options);
  void read_base(Options& options);
};

/// Declares the prefixes of PETSc's and SLEPc's solvers that poise-sweep uses.
void declare_sweep_solvers(Options& options);

}  // namespace poise::sweep
