#pragma once

#include <string>
#include <utility>
#include <vector>

#include "poise_compare/member.hpp"
#include "poise_compare/reference.hpp"
#include "poise_compare/settings.hpp"

namespace poise::compare {

/// A finished study: what the members returned and what their paths are measured to be. Arrays are row-major
/// [models, seeds] or [models, seeds, times]; NaN: there is no such thing, or the member failed.
struct Study {
  std::vector<ModelSpec> models;
  std::vector<double> times;
  Index seeds = 0, first_seed = 0;
  Index samples = 0, test_samples = 0, features = 0, outputs = 0;
  double gamma = 0.0;
  std::vector<MemberRecord> members;  ///< [models, seeds]; of failed ones empty
  std::vector<std::string> errors;    ///< [models, seeds]; empty for those that did not fail
  std::vector<std::pair<std::string, std::vector<double>>> paths, work;  ///< by name

  [[nodiscard]] std::size_t member(std::size_t model, Index seed) const {
    return model * static_cast<std::size_t>(seeds) + static_cast<std::size_t>(seed);
  }
  /// One number a seed, of those that are not NaN: of `paths` at a time, or of `work`.
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
