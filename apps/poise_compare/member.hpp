#pragma once

#include <mpi.h>

#include <vector>

#include "poise/objective/objective.hpp"
#include "poise/run/network.hpp"
#include "poise_compare/settings.hpp"

namespace poise::compare {

/// What all members are made of; both references must outlive them.
struct MemberInput {
  const ProcessGrid& grid;
  const Problem& problem;
  Index features = 0;  ///< with the constant one
  std::uint64_t seed = 0;
};

/// One of the compared models on a group of ranks: a Network of the engine, where it starts, and its W if the
/// model is linear.
class MemberNetwork {
 public:
  /// Collective on the world of the grid. `settings` must outlive it.
  MemberNetwork(const MemberInput& input, const CompareSettings& settings, const ModelSpec& spec);

  [[nodiscard]] const ParameterLayout& layout() const { return network_.layout(); }
  [[nodiscard]] Objective& objective() { return network_.objective(); }
  /// Not collective. The parameters of the start. The implicit model and its truncations start from (A0, B0)
  /// of the seed, the shallow layer from W0 = B0 U⁻¹, a matched deep linear network from identity layers and
  /// the readout W0.
  void initialise(Vec theta) const;
  /// Collective on the world of the grid. W at θ (q x m, column-major), on every rank; empty if the model is
  /// not linear.
  [[nodiscard]] std::vector<double> weight(Vec theta);

 private:
  [[nodiscard]] bool starts_from_w0() const;

  const CompareSettings& settings_;
  ModelSpec spec_;
  std::uint64_t seed_;
  Network network_;
  std::vector<double> start_;  // W0, of models that start from it
};

/// Collective on the world of the grid. W0 = B0 U⁻¹ of the implicit model from the seed, on every rank.
[[nodiscard]] std::vector<double> initial_weight(const MemberInput& input, const CompareSettings& settings);

/// The results of one model trained from one seed.
struct MemberRecord {
  double parameters = 0.0, gradients = 0.0, steps = 0.0;
  double seconds = 0.0;        ///< of the flow, without the time of recording
  double working_bytes = 0.0;  ///< allocated and kept by network and one gradient, all ranks; NaN: not known
  /// At the recorded times. NaN if there is no test set, or no classes.
  std::vector<double> train_loss, test_loss, train_accuracy, test_accuracy;
  std::vector<std::vector<double>> weights;  ///< W, q x m, column-major; empty if the model is not linear

  /// As one array and back; `weight_size`: q m, or 0.
  [[nodiscard]] std::vector<double> packed() const;
  [[nodiscard]] static MemberRecord unpacked(const std::vector<double>& values, std::size_t times,
                                             std::size_t weight_size);
};

/// Collective on `comm`. Reads the data, trains the model by gradient flow (THEORY.md 4) and records it at
/// every time of the study exactly: the integrator ends a step there. Throws failure if the integrator or a
/// solve fails, or if the flow takes more than -steps; MemberStopped on request.
[[nodiscard]] MemberRecord run_member(MPI_Comm comm, const CompareSettings& settings, const ModelSpec& spec,
                                      std::uint64_t seed, Interruptions& requests);

/// Collective on the world of the grid. Loss and accuracy of f = W φ(x) (W: q x m, column-major, m = the
/// local rows of the features) over a set of samples.
[[nodiscard]] Score score_linear(const ProcessGrid& grid, const Problem& problem, const SampleSet& samples,
                                 const std::vector<double>& w);

}  // namespace poise::compare
