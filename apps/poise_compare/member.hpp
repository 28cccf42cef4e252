#pragma once

#include <mpi.h>

#include <vector>

#include "poise/objective/objective.hpp"
#include "poise_compare/settings.hpp"

namespace poise::compare {

/// What is kept of one model trained from one seed.
struct MemberRecord {
  double parameters = 0.0, gradients = 0.0, steps = 0.0;
  double seconds = 0.0;  ///< of the flow, without what is recorded
  double working_bytes =
      0.0;  ///< that objective and one gradient allocate and keep, all ranks; NaN: not known
  /// At the recorded times. NaN: there is no such thing (no test set, no classes).
  std::vector<double> train_loss, test_loss, train_accuracy, test_accuracy;
  std::vector<std::vector<double>> weights;  ///< W, q x m, column-major; empty where the model is not linear

  /// As one array and back; `weight_size`: q m, or 0.
  [[nodiscard]] std::vector<double> packed() const;
  [[nodiscard]] static MemberRecord unpacked(const std::vector<double>& values, std::size_t times,
                                             std::size_t weight_size);
};

/// Collective on `comm`. Reads the data, trains the model by gradient flow (THEORY.md 4) to the end and
/// records it at every time of the study exactly: the integrator ends a step there. Throws failure if the
/// integrator or a solve fails or needs more than -steps.
[[nodiscard]] MemberRecord run_member(MPI_Comm comm, const CompareSettings& settings, const ModelSpec& spec,
                                      std::uint64_t seed);

/// Collective on the world of the grid. Loss and accuracy of f = W φ(x) (W: q x m, column-major, m = the
/// local rows of the features) over a set of samples.
[[nodiscard]] Score score_linear(const ProcessGrid& grid, const Problem& problem, const SampleSet& samples,
                                 const std::vector<double>& w);

}  // namespace poise::compare
