#pragma once

#include <string>
#include <utility>
#include <vector>

#include "poise/run/training_data.hpp"
#include "poise_compare/member.hpp"
#include "poise_compare/settings.hpp"

namespace poise::compare {

/// The matrices that the paths of W are compared with: q x m, column-major, on every rank.
struct CompareReference {
  std::vector<double> min_norm;              ///< W* = Y Φ⁺; squared loss, else empty
  std::vector<std::vector<double>> nearest;  ///< of every seed W* + W0(I − ΦΦ⁺), where the shallow flow ends
  Index rank = 0;                            ///< of Φ; squared loss, else 0
  double optimal_loss = 0.0;                 ///< L*; squared loss
  std::vector<double> teacher;               ///< in the features; empty if there is none
};

/// Collective on the world of the grid. Also makes each solver once, so that misspelt options are found.
[[nodiscard]] CompareReference make_reference(const ProcessGrid& grid, const TrainingData& data,
                                              const CompareSettings& settings);

/// Not collective. The teacher as weights of the features: for linear features (identity, whiten) the W with
/// W φ(x) = teacher x, or the nearest W in least squares if features leave directions out. Empty if the data
/// have no teacher, the features are not linear, or the loss has a different number of outputs.
[[nodiscard]] std::vector<double> teacher_in_features(const Features& features, Index outputs,
                                                      const std::vector<double>& teacher);

/// A finished study: the results of the members and the measures of their paths. Arrays are row-major,
/// [models, seeds] or [models, seeds, times]; NaN if a measure does not apply or the member failed.
struct Study {
  std::vector<ModelSpec> models;
  std::vector<double> times;
  Index seeds = 0, first_seed = 0;
  Index samples = 0, test_samples = 0, features = 0, outputs = 0;
  double gamma = 0.0;
  std::vector<MemberRecord> members;  ///< [models, seeds]; empty for failed members
  std::vector<std::string> errors;    ///< [models, seeds]; empty for members that did not fail
  std::vector<std::pair<std::string, std::vector<double>>> paths, work;  ///< by name

  [[nodiscard]] std::size_t member(std::size_t model, Index seed) const {
    return model * static_cast<std::size_t>(seeds) + static_cast<std::size_t>(seed);
  }
  /// "depth 4, seed 1": a member, by its place in [models, seeds].
  [[nodiscard]] std::string label(std::size_t place) const;
  /// One number per seed, without NaN: of `paths` at a time, or of `work`.
  [[nodiscard]] std::vector<double> path_values(const std::string& name, std::size_t model,
                                                std::size_t time) const;
  [[nodiscard]] std::vector<double> work_values(const std::string& name, std::size_t model) const;
};

/// Not collective. Fills `paths` and `work` from the members:
///  train_loss, test_loss, train_accuracy, test_accuracy;
///  of W: nuclear_norm, effective_rank, stable_rank, frobenius_norm;
///  distance_implicit: ‖W − V‖_F/‖V‖_F, V the implicit model's W of the same seed at the same time, and
///  distance_implicit_1: the same in the induced 1-norm, at most γ^H at t = 0 for depth H (THEORY.md 7.3);
///  distance_min_norm, distance_nearest: from Y Φ⁺ and from Y Φ⁺ + W0(I − ΦΦ⁺), relative; squared loss;
///  teacher_alignment: cosine with the teacher.
/// Throws failure if a W is not finite.
void measure_paths(Study& study, const CompareReference& reference);

/// Median, least and largest of some numbers; all NaN if there are none.
struct Spread {
  double median, low, high;
};
[[nodiscard]] Spread spread_of(std::vector<double> values);

}  // namespace poise::compare
