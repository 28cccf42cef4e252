#pragma once

#include <string>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/run/settings.hpp"
#include "poise/run/study_run.hpp"

namespace poise::sweep {

/// All options of poise-sweep except PETSc's. The loss is the squared loss, as its optimum L* is known.
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
  TrainSettings base;          ///< data, features, loss, limits and all else that members share
  StudyInvocation invocation;  ///< directory, ranks per member, -resume and -deadline

  /// Declares and reads them all. Throws bad_input, also if they do not go together. `recalled`: see
  /// require_effect. Not collective.
  static SweepSettings from(Options& options, const std::vector<std::string>& recalled = {});

  /// The settings of one member. `width`: m with the constant feature; 0: the width of the data. `seed`
  /// counts from 0.
  [[nodiscard]] TrainSettings member(double width, double gamma, double scale, double seed) const;

 private:
  void read_lists(Options& options);
  void read_study(Options& options);
  void read_base(Options& options);
};

/// Declares the prefixes of PETSc's and SLEPc's solvers that poise-sweep uses.
void declare_sweep_solvers(Options& options);

/// The text of option `name`, "0.1,0.5,0.9", as numbers in their order. Throws bad_input, which names the
/// option, if the list is empty, or an entry is no number, out of range or given twice. Not collective.
[[nodiscard]] std::vector<double> read_numbers(Options& options, const std::string& name,
                                               const std::string& initial, Bounds bounds,
                                               const std::string& help);
/// The same for whole numbers.
[[nodiscard]] std::vector<double> read_integers(Options& options, const std::string& name,
                                                const std::string& initial, Bounds bounds,
                                                const std::string& help);

}  // namespace poise::sweep
