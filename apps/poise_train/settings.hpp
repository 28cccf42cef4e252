#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/model/feature_map.hpp"
#include "poise/model/loss.hpp"

namespace poise {

/// Every option of poise-train that is not PETSc's own.
struct TrainSettings {
  std::string data, model, objective, dynamics, run;
  Index train_samples = 0, steps = 0, audit_every = 1, checkpoint_every = 100, checkpoint_keep = 3, panel = 0;
  int feature_ranks = 1;
  std::uint64_t seed = 0;
  FeatureOptions features;
  double gamma = 0.8, init_scale_a = 1.0, init_scale_b = 1.0, time = 10.0, step_size = 0.02;
  LossKind loss = LossKind::squared;
  bool mean = true, audit = true, resume = false;

  /// Declares and reads them all. Throws bad_input.
  static TrainSettings from(Options& options);
};

/// Declares the prefixes of PETSc's and SLEPc's solvers that poise-train uses.
void declare_solvers(Options& options);

/// Options that make a run what it is: a resumed run must have the same ones.
[[nodiscard]] const std::vector<std::string>& identity_options();

/// Collective. With -resume: takes every option that is not set from RUN/options.txt, but for the process
/// grid, which may be another one. Throws bad_input if there is no such file.
void recall_options(MPI_Comm comm);

/// The text of options.txt: one "-name value" a line.
[[nodiscard]] std::string options_text(const std::vector<std::pair<std::string, std::string>>& resolved);

}  // namespace poise
