#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/dynamics/dynamics_kind.hpp"
#include "poise/model/feature_map.hpp"
#include "poise/model/loss.hpp"
#include "poise/run/network_settings.hpp"

namespace poise {
inline namespace run {

/// Every option of poise-train that is not PETSc's own.
struct TrainSettings {
  std::string data, run, start_from;
  Index split = 0;  ///< of a graph, from 0
  Index train_samples = 0, steps = 0, batch = 0, epochs = 0, audit_every = 0, record_every = 0,
        checkpoint_every = -1, checkpoint_keep = 3;
  int feature_ranks = 1;
  std::uint64_t seed = 0;
  FeatureSettings features;
  NetworkSettings network;
  std::shared_ptr<const DynamicsKind> dynamics;  ///< the chosen dynamics with its options
  double time = 10.0, deadline = 0.0, checkpoint_seconds = 0.0, validation_fraction = 0.0;
  Index patience = 0;
  bool validation_by_accuracy = false;
  const Loss* loss = squared_loss();
  bool mean = true, scale_targets = true, audit = true, resume = false, batch_remainder = false;
  std::string class_weight;  ///< none, balanced, or one number per class
  std::string matrix_type;   ///< -mat_type; if empty: BLAS

  /// Declares and reads all options. Throws bad_input, also if an option has no effect (train_rules).
  /// `recalled`: names of options that come from the stored run, see require_effect.
  static TrainSettings from(Options& options, const std::vector<std::string>& recalled = {});
  /// Number of steps between scheduled checkpoints; 0: no scheduled checkpoints.
  [[nodiscard]] Index checkpoint_steps() const { return checkpoint_every < 0 ? 100 : checkpoint_every; }
  /// Whether a scheduled checkpoint is left out if checkpoints would take too much of the run's time.
  [[nodiscard]] bool spares_checkpoints() const { return checkpoint_every < 0; }
  /// Why Theorem 1 says nothing about this run; empty if it does.
  [[nodiscard]] std::string beyond_the_theorem() const;
  /// Declare and read one part of the options: data with features, or the loss. Throw bad_input.
  void read_data(Options& options);
  void read_loss(Options& options);

 private:
  void read_validation(Options& options);
  void read_dynamics(Options& options, DynamicsKinds& kinds);
  void read_run(Options& options);
  void require_dropout(const DynamicsKinds& kinds) const;
};

/// Declares and reads -mat_type.
std::string matrix_type_option(Options& options);

/// Not collective. All options of poise-train with their defaults, whatever the user has given.
[[nodiscard]] Options train_declarations();

/// Declares the prefixes of PETSc's and SLEPc's solvers that poise-train uses.
void declare_train_solvers(Options& options);

}  // namespace run
}  // namespace poise
