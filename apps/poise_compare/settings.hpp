#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/base/process_grid.hpp"
#include "poise/model/activation.hpp"
#include "poise/run/settings.hpp"
#include "poise/run/study_run.hpp"

namespace poise::compare {

/// One of the models that are compared.
struct ModelSpec {
  enum class Kind {
    implicit,    ///< softmax-linear, THEORY.md 2.1, by the collapsed objective
    unrolled,    ///< its equation applied `depth` times from zero, THEORY.md 2.4
    shallow,     ///< f = W φ(x), THEORY.md 2.5
    feedforward  ///< untied layers without biases, THEORY.md 2.4
  };
  Kind kind = Kind::implicit;
  Index depth = 0;
  Activation activation = Activation::identity;

  /// Whether the model is f = W φ(x) for some W.
  [[nodiscard]] bool linear() const { return activation == Activation::identity; }
  /// "implicit", "depth 4", "shallow", "deep linear", "relu network".
  [[nodiscard]] std::string name() const;
  /// Roughly the work of a gradient, in layers.
  [[nodiscard]] double cost() const;
};

/// All options of poise-compare except PETSc's. The options of data, features and loss are those of
/// poise-train. The features depend on -seed alone, so that all members see the same problem.
struct CompareSettings {
  TrainSettings problem;  ///< data, features and loss; `member` sets the network
  double gamma = 0.8, init_scale_a = 1.0, init_scale_b = 1.0;
  std::vector<Index> depths;  ///< of the unrolled networks, ascending
  Index feedforward_depth = 3, feedforward_width = 0;
  std::vector<Activation> activations;  ///< of the feedforward networks, one each
  bool matched = true;                  ///< deep linear networks start at the W0 of the others
  double feedforward_scale = 1.0;
  double time = 10.0, first_time = 0.01;
  Index points = 41, steps = 0, seeds = 3, panel = 0;
  bool save_weights = false;
  StudyInvocation invocation;  ///< directory, ranks per member, -resume and -deadline

  /// Declares and reads them all. Throws bad_input. `recalled`: see require_effect.
  static CompareSettings from(Options& options, const std::vector<std::string>& recalled = {});

  [[nodiscard]] std::uint64_t seed(Index s) const { return problem.seed + static_cast<std::uint64_t>(s); }
  /// The settings with which the engine builds the network of a model on `features` features.
  [[nodiscard]] TrainSettings member(const ModelSpec& model, Index features) const;
  /// The implicit model first.
  [[nodiscard]] std::vector<ModelSpec> models() const;
  /// Recorded times: 0, then from first_time to time at equal ratios.
  [[nodiscard]] std::vector<double> times() const;

 private:
  void read_models(Options& options);
  void read_study(Options& options);
};

/// Declares the prefixes of PETSc's and SLEPc's solvers that poise-compare uses.
void declare_compare_solvers(Options& options);

}  // namespace poise::compare
